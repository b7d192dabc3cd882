cd "$DATA/run"
ckpt get epoch-40.pt 'model/head.weight[:,:4]' --format csv
ckpt get epoch-40.pt log --format csv | head -n 3
ckpt get epoch-40.pt optimizer/param_groups --format csv
