ckpt
