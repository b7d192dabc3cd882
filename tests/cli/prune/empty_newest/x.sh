# The newest is torn: it counts for nothing, and the newest valid one stays even where the limit is 1.
cp -r $DATA/run . && : > run/epoch-50.pt && head -c 5000 $DATA/run/epoch-40.pt > run/epoch-40.pt && touch -d '2026-01-02 10:00' run/*
ckpt prune run --keep-last 1 --yes; echo "exit $?"
ls run
ckpt prune run --keep-last 1 --remove-invalid --yes -q; echo "exit $?"
ls run
