ckpt -h >/dev/null && ckpt convert $DATA/run/epoch-10.pt x.pt -v
