ckpt extract "$DATA/run/epoch-40.pt" --role model --rename 's/(/x/' -o n.pt
