# By a number in the name or inside; what has none is kept, and where none has one nothing is done.
mkdir run && for n in epoch=1-val_loss=0.50 epoch=2-val_loss=0.25 epoch=3-val_loss=0.75 epoch=4; do cp $DATA/run/epoch-10.pt run/$n.ckpt; done
touch -d '2026-01-02 10:00' run/*
ckpt prune run --keep-best 1 --metric val_loss -n; echo "exit $?"
ckpt prune run --keep-best 1 --metric val_loss --mode max -n; echo "exit $?"
ckpt prune run --keep-best 1 --metric val_acc -n; echo "exit $?"
ckpt prune run --keep-best 1 -n; echo "exit $?"
cp -r $DATA/run inside && touch -d '2026-01-02 10:00' inside/*
ckpt prune inside --keep-best 1 --metric epoch -n; echo "exit $?"
