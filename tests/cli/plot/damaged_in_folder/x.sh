mkdir run
cp "$DATA/run/epoch-10.pt" run
head -c 2000 "$DATA/run/epoch-20.pt" > run/epoch-20.pt
ckpt plot run epoch --data
