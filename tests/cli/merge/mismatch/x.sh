cd "$DATA"
ckpt merge torch/state_dict.pt run/epoch-20.pt -o "$OLDPWD/m.pt"
