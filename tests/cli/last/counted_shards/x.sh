# The names of shards tell how many there are: without an index, too, one that is missing is damage, for all that ask.
for step in 100 200 300; do
    mkdir -p "run/checkpoint-$step"
    for shard in 1 2 3; do cp "$DATA/safetensors/dtypes.safetensors" "run/checkpoint-$step/model-0000$shard-of-00003.safetensors"; done
done
rm run/checkpoint-200/model-00003-of-00003.safetensors run/checkpoint-300/model-00002-of-00003.safetensors
ckpt last --valid run; echo "exit $?"
ckpt ls --valid --indices run; echo "exit $?"
ckpt verify run; echo "exit $?"
ckpt prune -l 1 --min-age 0 -y run; echo "exit $?"
ls run
# Numbers from 0; torch's .bin; of two divisions, the one that is whole.
mkdir -p zero/checkpoint-1 bin/checkpoint-1 two/checkpoint-1
for shard in 0 1; do cp "$DATA/safetensors/dtypes.safetensors" "zero/checkpoint-1/model-0000$shard-of-00002.safetensors"; done
cp "$DATA/run/epoch-10.pt" bin/checkpoint-1/pytorch_model-00002-of-00002.bin
cp "$DATA/safetensors/dtypes.safetensors" two/checkpoint-1/model-00001-of-00001.safetensors
cp "$DATA/safetensors/dtypes.safetensors" two/checkpoint-1/model-00002-of-00004.safetensors
for folder in zero bin two; do ckpt last --valid $folder; echo "exit $?"; done
