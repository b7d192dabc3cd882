# A file whose optimizer counts its parameters, as sharded strategies load it; and back.
cp $DATA/run/epoch-40.pt one.pt
ckpt convert one.pt two --to dcp --shards 2 --fsdp
ckpt inspect two --depth 3 | sed -n "/^optimizer/,/^scheduler/p"
ckpt get two optimizer/param_groups/0/params
ckpt convert two again.pt --trainer
ckpt get again.pt optimizer_states/0/param_groups/0/params
ckpt convert one.pt x --to dcp --fsdp --trainer || echo $?
ckpt extract one.pt --drop model -o rest.pt
ckpt convert rest.pt x --to dcp --fsdp || echo $?
