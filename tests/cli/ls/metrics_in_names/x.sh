# Numbers with exponents, and what is no number, are no reason for a series of its own.
mkdir run && for n in epoch=0-step=100-val_loss=1.50e-03 epoch=1-step=200-val_loss=9.00e-04 epoch=2-step=300-val_loss=nan epoch=3-step=400-val_loss=2.00e-03; do cp $DATA/run/epoch-10.pt run/$n.ckpt; done
touch -d '2026-01-02 10:00' run/*
ckpt ls run --indices | tr '\n' ' '; ckpt last run
ckpt ls run --json | grep '"val_loss"'
ckpt prune run --keep-best 1 --metric val_loss -n
