ckpt convert $DATA/run/epoch-10.pt x.xyz
