# What has another hard link frees nothing, nor does a move on one file system; no checkpoint is JSON too.
mkdir run && for n in 1 2 3; do cp $DATA/run/epoch-10.pt run/epoch-$n.pt; done && ln run/epoch-1.pt kept && find run -exec touch -d '2026-01-02 10:00' {} +
ckpt prune run -l 1 -n | tail -1
ckpt prune run -l 1 -n --trash trash | tail -1
ckpt prune run -l 1 --yes | tail -1
mkdir none; ckpt prune none -l 1 --json | python3 -c 'import json, sys; print(json.load(sys.stdin))'
ckpt prune run -l 1 --trash run/../run --yes; echo "exit $?"
