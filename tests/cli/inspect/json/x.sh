ckpt inspect $DATA/run/epoch-10.pt --json --digest=sha256 | sed "s#$DATA#DATA#"
