cd "$DATA"
ckpt plot run log/train_loss --json
