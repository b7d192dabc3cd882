ckpt extract --model-only $DATA/torch/module_in_dict.pt -o m.pt && ckpt inspect --tensors m.pt
