ckpt extract $DATA/run/epoch-40.pt -o m.pt
