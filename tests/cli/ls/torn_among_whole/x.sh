mkdir run && cp $DATA/run/epoch-10.pt run && head -c 5000 $DATA/run/epoch-20.pt > run/epoch-20.pt && ckpt ls -l run | sed 's/  [0-9a-z ]* ago/  AGO/; s/  just now/  AGO/'
