: > x.pt && ckpt inspect x.pt
