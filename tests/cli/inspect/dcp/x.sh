# Shards, chunks and what is replicated come from the index: a folder without its shards is shown all the same.
cp -r $DATA/dcp/fsdp2_2 a
ckpt inspect a | head -n 12
ckpt get a app/optim/param_groups/0/lr
rm a/*.distcp
ckpt inspect a --depth 5 | grep -A 3 param_groups
ckpt inspect a --tensors 2>/dev/null | head -n 6
ckpt inspect a --json 2>/dev/null | python3 -c "
import json, sys
shown = json.load(sys.stdin)
print(shown['shards'])
for entry in shown['entries'][1:4]: print(entry['path'], entry.get('chunks'), entry.get('replicated'))"
ckpt inspect a 2>&1 >/dev/null | head -n 1
ckpt inspect a --json --digest > /dev/null 2>&1 || echo $?
