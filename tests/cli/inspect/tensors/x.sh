ckpt inspect --tensors $DATA/run/epoch-40.pt
