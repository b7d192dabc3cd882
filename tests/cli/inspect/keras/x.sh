cd "$DATA/hdf5/more"
ckpt inspect keras3.keras
