ckpt convert $DATA/run/epoch-40.pt copy.pt && cmp $DATA/run/epoch-40.pt copy.pt
