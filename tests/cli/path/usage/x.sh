ckpt path run
