printf 'epoch,loss\n1,0.5\n' > x.pt && ckpt inspect x.pt
