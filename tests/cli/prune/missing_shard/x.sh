# A folder is removed or kept as one; one that lacks a shard is not valid.
mkdir run && for n in 100 200 300; do cp -r $DATA/safetensors/hub_sharded run/checkpoint-$n; done
rm $(ls run/checkpoint-300/*-of-*.safetensors | head -1) && find run -exec touch -d '2026-01-02 10:00' {} +
ckpt prune run --keep-last 1 --yes; echo "exit $?"
ls run
