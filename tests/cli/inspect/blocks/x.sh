ckpt inspect $DATA/torch/blocks.pt | sed "s#$DATA#DATA#"
