ckpt formats
