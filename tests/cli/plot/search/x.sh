cd "$DATA"
ckpt plot pyhopper/nan_min.ckpt --data
ckpt plot blackit/0.3.3-sine --data | head -n 5
