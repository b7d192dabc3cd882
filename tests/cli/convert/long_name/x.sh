# As long as the file system takes: the temporary beside it needs a shorter name.
name=$(printf 'n%.0s' $(seq 252)).pt
ckpt convert $DATA/run/epoch-40.pt $name && cmp $DATA/run/epoch-40.pt $name; ls -A | wc -l
