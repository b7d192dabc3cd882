cp -r $DATA/run . && ckpt prune run; echo "exit $?"
ckpt prune run --yes; echo "exit $?"
ckpt prune run --keep-every 0; echo "exit $?"
ckpt prune run --keep-within soon; echo "exit $?"
ckpt prune run/epoch-10.pt --keep-last 1; echo "exit $?"
mkdir empty && ckpt prune empty --keep-last 1; echo "exit $?"
ls run | wc -l
