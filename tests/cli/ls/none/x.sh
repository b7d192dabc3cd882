mkdir empty && ckpt ls empty
