ckpt extract $DATA/run/epoch-40.pt --role optimizer -o o.pt --rest r.pt && ckpt inspect --tensors r.pt | grep -c optimizer; ckpt inspect --tensors o.pt | grep -c optimizer
