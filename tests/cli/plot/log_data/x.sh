cd "$DATA/run"
ckpt plot epoch-10.pt --data
