ckpt=$(command -v ckpt)
PATH=/nowhere "$ckpt" plot "$DATA/run/epoch-40.pt" log/train_loss -o x.svg
echo $?
ls
