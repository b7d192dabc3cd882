ckpt extract $DATA/run/epoch-40.pt --model-only --role optimizer -o m.pt
