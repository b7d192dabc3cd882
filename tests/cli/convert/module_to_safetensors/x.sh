ckpt convert $DATA/torch/module.pt m.safetensors && ckpt inspect --tensors m.safetensors
