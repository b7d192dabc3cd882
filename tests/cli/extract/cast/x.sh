ckpt extract "$DATA/run/epoch-40.pt" --model-only --cast bf16 -o m.pt
ckpt inspect --tensors m.pt
