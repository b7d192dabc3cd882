cp -r $DATA/run . && for n in 1 2 3 4 5; do touch -d "2026-03-0$n 12:00" run/epoch-${n}0.pt; done
ckpt prune run --keep-within 36h -n | tail -1
ckpt prune run --keep-daily 3 -n | tail -1
ckpt prune run --keep-weekly 2 -n | tail -7
