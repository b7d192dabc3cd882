ckpt extract "$DATA/torch/views.pt" --select slice_of_big --select row -o m.pt
ckpt diff "$DATA/torch/views.pt" m.pt --values-only | grep -v 'only in a'
