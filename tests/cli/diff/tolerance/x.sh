cd "$DATA"
ckpt diff run/epoch-40.pt run/epoch-50.pt --ignore optimizer --ignore log --atol 0.02 --ignore '**/*num_batches_tracked'
