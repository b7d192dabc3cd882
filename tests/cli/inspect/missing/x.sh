ckpt inspect nothing.pt
