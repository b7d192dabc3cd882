# What no layout can check is none of this program's to remove.
mkdir run && for n in 1 2 3; do echo "a text" > run/epoch-$n.pt; done && cp $DATA/run/epoch-40.pt run/epoch-4.pt && cp $DATA/run/epoch-40.pt run/epoch-0.pt
touch -d '2026-01-02 10:00' run/*
ckpt prune run --keep-last 1 --remove-invalid --yes; echo "exit $?"
ls run
