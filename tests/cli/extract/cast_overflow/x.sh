ckpt convert "$DATA/torch/dtypes.pt" m.pt --cast f8_e4m3
ckpt convert "$DATA/torch/dtypes.pt" i.pt --cast i8
