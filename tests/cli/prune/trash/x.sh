# Moved, not removed; a name that is taken there is named, and the others go on.
cp -r $DATA/run . && touch -d '2026-01-02 10:00' run/* && mkdir trash && echo mine > trash/epoch-20.pt
ckpt prune run --keep-last 2 --trash trash --yes; echo "exit $?"
ls run trash && cat trash/epoch-20.pt && cmp trash/epoch-10.pt $DATA/run/epoch-10.pt
