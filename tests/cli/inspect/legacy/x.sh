ckpt inspect $DATA/torch/old/tar.pt | sed "s#.*/##"; ckpt inspect $DATA/torch/old/torchscript.pt | sed "s#.*/##"
