ckpt extract $DATA/run/epoch-40.pt --role log --role hparams -o m.pt && ckpt inspect m.pt | tail -n +3
