cp -r $DATA/zero/zero2_2 run
ckpt inspect run/global_step2
ckpt inspect run --all --tensors
