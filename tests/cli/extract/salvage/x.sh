head -c 6000 $DATA/native/epoch-40-raw.ckpt > torn.ckpt
ckpt extract --salvage torn.ckpt -o whole.pt; echo "torn: $?"
ckpt inspect --tensors whole.pt
ckpt extract --salvage $DATA/native/epoch-40.ckpt -o same.pt; echo "sound: $?"
cmp same.pt $DATA/run/epoch-40.pt && echo 'sound: the same file'
ckpt extract --salvage --select 'model/**' torn.ckpt -o some.pt 2>/dev/null; echo "selected: $?"
ckpt extract --salvage $DATA/run/epoch-40.pt -o x.pt 2>&1 | sed "s|$DATA/||"
