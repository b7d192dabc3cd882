ckpt inspect --help | head -n 2
