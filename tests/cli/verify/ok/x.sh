cp $DATA/native/*.ckpt . && ckpt verify epoch-40.ckpt && ckpt verify --full epoch-40-raw.ckpt && cp -r $DATA/run . && ckpt verify --full run
