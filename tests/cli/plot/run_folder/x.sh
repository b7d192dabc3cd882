cd "$DATA"
ckpt plot run log/train_loss epoch --data
ckpt plot run log/train_loss --up-to 25 --data
ckpt plot run log/val_loss --data
echo $?
ckpt plot run --data
