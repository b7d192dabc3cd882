# One file to shards, shards to other shards, and back: the same values again. A Trainer's keys.
cp $DATA/run/epoch-40.pt one.pt
cp -r $DATA/dcp/layouts_4 $DATA/dcp/fsdp_sharded_2.ckpt .
ckpt convert one.pt two --to dcp --shards 2
ls -A two
ckpt convert two three --to dcp --shards 3
ckpt inspect three | sed -n 3p
ckpt convert three one-again.pt
for file in one.pt one-again.pt; do ckpt inspect $file --json --digest | python3 -c "
import json, sys
for e in json.load(sys.stdin)['entries']: print({k: v for k, v in e.items() if k not in ('stride', 'storage', 'storage_bytes', 'storage_offset')})" > $file.list; done
cmp one.pt.list one-again.pt.list && echo "the same values"
ckpt convert one.pt two --to dcp --shards 2 || echo $?
ckpt convert one.pt x.h5 --shards 2 || echo $?
ckpt convert fsdp_sharded_2.ckpt last.ckpt --to torch --trainer
ckpt inspect last.ckpt --depth 2 | sed 1d
ckpt get last.ckpt optimizer_states/0/param_groups/0/params
ckpt convert layouts_4 last.ckpt --to torch --trainer --overwrite || echo $?
