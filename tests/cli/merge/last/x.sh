ckpt merge --last 2 --up-to 35 "$DATA/run" -o last.pt 2>/dev/null
ckpt merge "$DATA/run/epoch-20.pt" "$DATA/run/epoch-30.pt" -o two.pt 2>/dev/null
ckpt diff last.pt two.pt
cd "$DATA"
ckpt merge --last 2 --prior-to 5 run -o "$OLDPWD/none.pt"
