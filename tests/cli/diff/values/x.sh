cd "$DATA"
ckpt diff run/epoch-40.pt run/epoch-50.pt --ignore optimizer --ignore log --limit 5
