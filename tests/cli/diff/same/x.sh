cd "$DATA"
ckpt diff run/epoch-40.pt run/epoch-40.pt
