cp $DATA/torch/dtypes.pt $DATA/torch/bare_int.pt $DATA/torch/bare_tensor.pt $DATA/torch/module.pt .
ckpt scan dtypes.pt bare_int.pt
ckpt scan --all bare_tensor.pt
ckpt scan module.pt
