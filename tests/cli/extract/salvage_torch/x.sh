# Cut inside of a storage: tensors before it are whole; the archive has lost its directory.
head -c 8000 $DATA/run/epoch-40.pt > torn.pt
ckpt extract --salvage torn.pt -o whole.pt; echo "torn: $?"
ckpt inspect --tensors whole.pt
ckpt extract --salvage $DATA/run/epoch-40.pt -o same.pt; echo "sound: $?"
cmp same.pt $DATA/run/epoch-40.pt && echo 'sound: the same file'
head -c 200 $DATA/run/epoch-40.pt > head.pt
ckpt extract --salvage head.pt -o none.pt; echo "head: $?"
ls
