ckpt convert $DATA/run/epoch-10.pt no/such/x.pt
