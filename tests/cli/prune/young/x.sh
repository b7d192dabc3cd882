# What was just written may not be finished.
cp -r $DATA/run . && touch -d '2026-01-02 10:00' run/epoch-[123]0.pt && touch run/epoch-[45]0.pt
ckpt prune run --keep 10 -n; echo "exit $?"
ckpt prune run --keep 10 --min-age 0 -n; echo "exit $?"
