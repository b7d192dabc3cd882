ckpt lst
