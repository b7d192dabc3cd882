cd "$DATA"
ckpt merge run/epoch-10.pt run/epoch-20.pt run/epoch-30.pt -o "$OLDPWD/m.pt"
cd "$OLDPWD"
ckpt diff "$DATA/run/epoch-30.pt" m.pt --ignore '**/*num_batches*' | tail -8
