# Over a tree: the trash keeps the paths and is no part of it, globs may have them, and no folder is emptied.
for run in a b; do mkdir -p runs/$run && cp $DATA/run/epoch-[123]0.pt runs/$run; done && find runs -type f -exec touch -d '2026-01-02 10:00' {} +
ckpt prune -r runs -l 1 --keep-glob 'a/epoch-1*' --trash runs/trash --yes -q | tail -1; echo "exit $?"; find runs -type f | sort
ckpt prune -r runs -l 1 --keep-glob 'a/epoch-1*' --trash runs/trash --yes -q | tail -1; echo "exit $?"
head -c 5000 $DATA/run/epoch-30.pt > runs/b/epoch-30.pt && touch -d '2026-01-02 10:00' runs/b/epoch-30.pt
ckpt prune -r runs -l 1 --remove-invalid --trash runs/trash --yes; echo "exit $?"; ls runs/b
