head -c 3000 "$DATA/run/epoch-40.pt" > cut.pt
ckpt diff "$DATA/run/epoch-40.pt" cut.pt
