cd "$DATA/hdf5"
ckpt inspect order.h5
