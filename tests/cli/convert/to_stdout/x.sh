ckpt convert $DATA/run/epoch-10.pt - --to torch | cmp - $DATA/run/epoch-10.pt
