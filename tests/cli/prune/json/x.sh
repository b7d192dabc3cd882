cp -r $DATA/run . && touch -d '2026-01-02 10:00' run/*
ckpt prune run -l 1 --keep 10,30 --json --dry-run
