ckpt ls $DATA/run --indices
