for name in run/epoch-40 torch/parameters torch/protocol0 torch/protocol1 torch/blocks; do
    ckpt convert $DATA/$name.pt copy.pt --overwrite && cmp $DATA/$name.pt copy.pt
done
# Classes and strides come back by way of HDF5 too.
for name in parameters protocol0 protocol1; do
    ckpt convert $DATA/torch/$name.pt $name.h5 && ckpt convert $name.h5 $name.pt
    ckpt inspect --json $DATA/torch/$name.pt | grep path >a; ckpt inspect --json $name.pt | grep path >b; cmp a b
done
