# The plan, its reasons and what it frees; nothing is removed by -n, and nobody can be asked here.
cp -r $DATA/run . && touch -d '2026-01-02 10:00' run/*
ckpt prune run --keep-last 2 --keep-every 20 -n; echo "exit $?"
ckpt prune run --keep-last 1; echo "exit $?"
ls run | wc -l
