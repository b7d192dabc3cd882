ckpt --version
