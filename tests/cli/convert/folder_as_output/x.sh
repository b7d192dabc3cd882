mkdir d.h5 && ckpt convert $DATA/run/epoch-40.pt d.h5
