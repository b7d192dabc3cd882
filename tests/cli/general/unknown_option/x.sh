ckpt ls --nope
