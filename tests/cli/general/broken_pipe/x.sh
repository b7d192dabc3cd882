ckpt inspect --json $DATA/run/epoch-40.pt | head -c 10 >/dev/null
