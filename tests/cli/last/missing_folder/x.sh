ckpt last nowhere
