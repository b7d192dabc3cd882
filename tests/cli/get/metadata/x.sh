ckpt get $DATA/safetensors/metadata_one.safetensors @metadata
ckpt get $DATA/safetensors/tied_save_model.safetensors @metadata --json
