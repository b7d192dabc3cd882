cp $DATA/run/epoch-40.pt a.pt && ckpt extract a.pt --select nothing/here -o m.pt; code=$?; ls; exit $code
