mkdir run && cp $DATA/run/epoch-10.pt run/ && head -c 3000 $DATA/run/epoch-20.pt > run/epoch-20.pt && cp $DATA/native/epoch-40.ckpt run/
ckpt verify run
