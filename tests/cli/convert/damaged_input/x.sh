head -c 6000 $DATA/run/epoch-40.pt > x.pt && ckpt convert x.pt y.pt; code=$?; ls; exit $code
