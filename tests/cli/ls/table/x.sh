cp -r $DATA/run . && ckpt ls run | sed 's/  [0-9a-z ]* ago/  AGO/; s/  just now/  AGO/'
