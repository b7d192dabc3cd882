ckpt inspect $DATA/run/epoch-40.pt | sed "s#$DATA#DATA#"
