cd "$DATA"
ckpt diff run/epoch-40.pt torch/state_dict.pt --names-only
