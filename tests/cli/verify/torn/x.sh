head -c 4000 $DATA/native/epoch-40-raw.ckpt > torn.ckpt
ckpt verify torn.ckpt; code=$?
ckpt inspect torn.ckpt; echo "inspect: $?"
exit $code
