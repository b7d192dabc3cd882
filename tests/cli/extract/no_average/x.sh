cd "$DATA"
ckpt extract run/epoch-40.pt --ema -o "$OLDPWD/n.pt"
