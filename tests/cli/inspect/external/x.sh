cd "$DATA/hdf5/more"
ckpt inspect virtual_two_files.h5
