ckpt convert $DATA/run/epoch-10.pt x.pt --to nonsense
