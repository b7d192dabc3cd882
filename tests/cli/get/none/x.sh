cd "$DATA/run" && ckpt get epoch-40.pt model/nothing
