ckpt get "$DATA/run/epoch-40.pt" model/head.bias --format npy -o b.npy
ckpt get b.npy
ckpt get "$DATA/run/epoch-40.pt" model/head.bias --format raw | od -A n -t f4
ckpt get "$DATA/run/epoch-40.pt" epoch --format json -o b.npy
echo $?
ckpt get "$DATA/run/epoch-40.pt" epoch --format json -o b.npy --overwrite
cat b.npy
