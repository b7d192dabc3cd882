# A trainer saves while checkpoints are removed: nothing of what it writes is touched before its time.
cp -r $DATA/run . && touch -d '2026-01-02 10:00' run/*
(for n in $(seq 60 10 300); do cp $DATA/run/epoch-40.pt run/epoch-$n.pt.tmp && mv run/epoch-$n.pt.tmp run/epoch-$n.pt && sleep 0.01; done) & trainer=$!
while kill -0 $trainer 2> /dev/null; do ckpt prune run --keep-last 2 --yes > out 2>&1 || [ $? = 7 ] || { echo "exit $?"; cat out; }; done
wait $trainer
ls run | wc -l
ckpt verify run | tail -1
ckpt last run
