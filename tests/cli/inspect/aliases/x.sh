ckpt inspect $DATA/safetensors/tied_save_model.safetensors | sed 's#.*/##'
ckpt inspect --tensors $DATA/safetensors/tied_save_model.safetensors
ckpt inspect --json $DATA/safetensors/tied_save_model.safetensors | grep -e metadata -e same_as | sed 's/.*"metadata"/"metadata"/'
