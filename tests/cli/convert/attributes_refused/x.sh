# Attributes of HDF5 have no place in .npz files: listed and refused; allowed, they are left out. What facts about a file are dropped is noted.
ckpt convert "$DATA/hdf5/checkpoint_flat.h5" x.npz; echo "exit $?"; ls
ckpt convert "$DATA/hdf5/checkpoint_flat.h5" x.npz --allow-loss; echo "exit $?"
ckpt convert "$DATA/torch/bare_tensor.pt" x.npy && ckpt get x.npy ""
ckpt convert "$DATA/torch/bare_tensor.pt" x.pkl && ckpt get x.pkl ""
