# `-v1` came after the file without it, whatever a copy did to their times: `last` and `prune` say the same.
mkdir run && for n in epoch=1 epoch=2 epoch=2-v1; do cp $DATA/run/epoch-10.pt run/$n.ckpt; done
touch -d '2026-01-02 10:00' run/* && touch -d '2026-01-02 11:00' run/epoch=2.ckpt
ckpt prune run --keep-last 1 -n; echo "exit $?"
ckpt last run
