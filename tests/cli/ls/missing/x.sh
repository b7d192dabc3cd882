ckpt ls nowhere
