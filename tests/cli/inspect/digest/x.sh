ckpt inspect $DATA/run/epoch-10.pt --json --digest | grep -c xxh3_128
