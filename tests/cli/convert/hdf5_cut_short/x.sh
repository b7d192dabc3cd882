head -c 9000 $DATA/hdf5/checkpoint_flat.h5 > x.h5 && ckpt convert x.h5 y.pt; code=$?; ls; exit $code
