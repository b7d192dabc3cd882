ckpt extract $DATA/run/epoch-40.pt --select nothing/here -o m.pt; code=$?; ls; exit $code
