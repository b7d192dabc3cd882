# Neither many dtypes nor ten thousand dimensions make a line that nobody can read.
ckpt inspect $DATA/torch/dtypes.pt | sed -n 2p
ckpt inspect $DATA/torch/bad/ndim_10000.pt 2>&1 | awk 'length > 400' | wc -l
