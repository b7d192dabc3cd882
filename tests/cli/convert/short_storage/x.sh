for name in storage_short storage_long storage_missing storage_empty out_of_bounds; do
    ckpt convert $DATA/torch/bad/$name.pt y.h5; echo "$name: exit $?"
done 2>&1 | sed "s|$DATA/||"; ls
