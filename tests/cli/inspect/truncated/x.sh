head -c 6000 $DATA/run/epoch-40.pt > x.pt && ckpt inspect x.pt
