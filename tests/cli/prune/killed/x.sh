# Killed at any moment: what has its name is whole, the newest stays, and the next run finishes the work.
cp -r $DATA/run start && for n in $(seq 1 40); do cp -r $DATA/safetensors/hub_sharded start/checkpoint-$n; done
find start -exec touch -d '2026-01-02 10:00' {} +
for delay in 0 0.002 0.004 0.006 0.008 0.01 0.015 0.02 0.03 0.05; do
    rm -rf run && cp -a start run
    ckpt prune run --keep-last 1 --yes -q > out & victim=$!
    sleep $delay && kill -9 $victim 2> /dev/null; wait $victim 2> /dev/null
    ckpt verify run -q > verified || { echo "after $delay: damaged"; cat verified; }
    [ -d run/checkpoint-40 ] && [ -f run/epoch-50.pt ] || echo "after $delay: the newest is gone"
    ckpt prune run --keep-last 1 --remove-tmp --min-age 0 --yes -q > out || echo "after $delay: the next run fails"
    [ "$(ls -A run | wc -l)" = 2 ] || { echo "after $delay:"; ls -A run; }
done
echo done
