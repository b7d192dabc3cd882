# Over a tree: what each folder's pointers and links name, held against the newest of that folder.
for run in a b; do mkdir -p runs/$run/checkpoints && cp $DATA/run/epoch-[12]0.pt runs/$run/checkpoints; done && cp $DATA/run/epoch-30.pt runs/b/checkpoints
echo epoch-20.pt > runs/a/checkpoints/latest && echo epoch-20.pt > runs/b/checkpoints/latest && echo epoch-90.pt > runs/b/checkpoints/last_checkpoint
ckpt ls -r runs | tail -3
ckpt ls -r runs --json | sed -n '/"pointers"/,$p' | grep -e path -e state
