# A trainer writes its files in place, piece by piece, while checkpoints are removed, the youngest not spared: what is not whole yet counts for nothing and is not touched.
cp -r $DATA/run . && touch -d '2026-01-02 10:00' run/*
cat > train.py <<'PY'
import os, time
data = open(os.environ['DATA'] + '/run/epoch-40.pt', 'rb').read()
for n in range(60, 260, 10):
    with open(f'run/epoch-{n}.pt', 'wb', buffering=0) as file:
        for at in range(0, len(data), 2000): file.write(data[at:at + 2000]), time.sleep(0.002)
PY
python3 train.py & trainer=$!
while kill -0 $trainer 2> /dev/null; do
    ckpt prune run --keep-last 2 --min-age 0 --yes > out 2>&1 || [ $? = 7 ] || { echo "exit $?"; cat out; }
    ckpt last run --valid > newest 2> /dev/null || echo "nothing to go on from"
done
wait $trainer; ckpt prune run --keep-last 2 --min-age 0 --yes -q > out; ls run; ckpt verify run -q | tail -1
