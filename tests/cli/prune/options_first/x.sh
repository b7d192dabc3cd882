# Options may stand before the folder; counts are counts.
cp -r $DATA/run . && touch -d '2026-01-02 10:00' run/*
ckpt prune --keep 10,20 run -n | tail -1
ckpt prune --keep 10 --keep 20 --keep-glob '*-30.pt' run -n | tail -1
ckpt prune --keep-last 1 --strip optimizer run -n | tail -1
ckpt prune run -l -1 -n; echo "exit $?"
ckpt prune run --keep-daily 1.5 -n; echo "exit $?"
