ckpt lst run; echo "exit $?"
ckpt inspct x.pt; echo "exit $?"
ckpt frobnicate; echo "exit $?"
ckpt convert --overwrit a b; echo "exit $?"
