ckpt convert $DATA/run/epoch-40.pt a.h5 --codec raw; echo "hdf5: $?"
ckpt convert $DATA/run/epoch-40.pt a.ckpt --compress gzip; echo "gzip: $?"
ckpt convert $DATA/run/epoch-40.pt a.ckpt --compress zstd --codec raw; echo "both: $?"
ckpt convert $DATA/run/epoch-40.pt a.ckpt --codec lz4; echo "unknown: $?"
ckpt convert $DATA/run/epoch-40.pt a.ckpt --compress zstd --codec auto; echo "auto: $?"
ls
