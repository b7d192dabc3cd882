ckpt extract "$DATA/run/epoch-40.pt" --role model --rename 's/^norm\.(.*)/bn.\1/' --rename 's|BIAS|b|i' -o m.pt
ckpt inspect --tensors m.pt
ckpt extract "$DATA/run/epoch-40.pt" --role model --rename 's/weight|bias/x/' -o n.pt
