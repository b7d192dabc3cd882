ckpt extract $DATA/run/epoch-40.pt --model-only -o m.pt && ckpt inspect --tensors m.pt
