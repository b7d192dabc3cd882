# Not "none found": a script would start over.
ckpt last $DATA/run/epoch-40.pt; echo $?
ckpt path $DATA/run/epoch-40.pt 3 2>/dev/null; echo $?
