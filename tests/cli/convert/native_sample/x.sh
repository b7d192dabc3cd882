# Files of format version 1 stay readable, and say what the torch files said from which they were made.
for pair in native/epoch-40.ckpt:run/epoch-40.pt native/epoch-40-raw.ckpt:run/epoch-40.pt native/python_small.ckpt:torch/python_small.pt native/dtypes.ckpt:torch/dtypes.pt; do
    ckpt convert $DATA/${pair%:*} a.pt --overwrite && ckpt convert $DATA/${pair#*:} b.pt --overwrite && cmp a.pt b.pt && echo "${pair%:*} ok"
done
