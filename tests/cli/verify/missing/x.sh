ckpt verify nowhere.ckpt; echo "missing: $?"
echo words > words.ckpt; ckpt verify words.ckpt; echo "text: $?"
mkdir empty; ckpt verify empty; echo "empty folder: $?"
: > empty.ckpt; ckpt verify empty.ckpt; echo "empty file: $?"
