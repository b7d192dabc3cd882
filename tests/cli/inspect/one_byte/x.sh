printf P > x.pt && ckpt inspect x.pt
