# Leftovers go only when asked for, and not while they may still be written.
cp -r $DATA/run . && touch run/.epoch-60.pt.ckpt-tmp-1234 run/epoch-70.pt.tmp && mkdir run/tmp-checkpoint-80 && touch run/tmp-checkpoint-80/model.pt
find run -exec touch -d '2026-01-02 10:00' {} + && touch run/epoch-90.pt.part
ckpt prune run --keep-last 5 --yes | tail -1
ckpt prune run --remove-tmp --yes; echo "exit $?"
ls -A run
