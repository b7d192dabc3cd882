# The mean of a checkpoint and itself is the checkpoint.
cp "$DATA/run/epoch-40.pt" b.pt
ckpt merge "$DATA/run/epoch-40.pt" b.pt -o m.pt -q
ckpt diff b.pt m.pt
ckpt merge b.pt --base "$DATA/run/epoch-40.pt" --ties --density 0.2 -o t.pt -q
ckpt diff b.pt t.pt
