cd "$DATA"
ckpt diff torch/views.pt torch/dtypes.pt --limit 8
