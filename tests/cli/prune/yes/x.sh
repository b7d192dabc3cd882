# Oldest first, whole, and a second run has nothing to do.
cp -r $DATA/run . && touch -d '2026-01-02 10:00' run/*
ckpt prune run --keep-last 2 --keep-first --yes; echo "exit $?"
ls -A run
ckpt prune run --keep-last 2 --keep-first --yes; echo "exit $?"
