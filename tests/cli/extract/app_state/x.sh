# What torch's own examples save: {"app": {"model": ..., "optim": ...}}.
ckpt extract --model-only $DATA/dcp/fsdp2_2 -o model.pt && ckpt inspect model.pt | sed 1d
ckpt extract --role optimizer $DATA/dcp/fsdp2_2 -o optimizer.pt && ckpt inspect optimizer.pt --depth 2 | sed 1d
ckpt extract --model-only $DATA/dcp/fsdp2_2 -o again.pt --rest rest.pt && ckpt inspect rest.pt --depth 2 | sed 1d
