# Each series, and with -r each folder, by itself.
mkdir -p runs/a runs/b && for n in 1 2 3; do cp $DATA/run/epoch-10.pt runs/a/G_$n.pth; cp $DATA/run/epoch-10.pt runs/a/D_$n.pth; cp $DATA/run/epoch-10.pt runs/b/epoch-$n.pt; done
find runs -exec touch -d '2026-01-02 10:00' {} +
ckpt prune runs -r --keep-last 1 --yes -q; echo "exit $?"
find runs -type f | sort
