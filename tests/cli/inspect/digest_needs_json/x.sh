ckpt inspect $DATA/run/epoch-10.pt --digest
