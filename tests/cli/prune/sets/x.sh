# Parts of a set and files of its name belong to a checkpoint.
mkdir run && for n in 1 2; do for part in 0 1; do cp $DATA/run/epoch-10.pt run/checkpoint_${n}_${n}00-model_part-0-shard$part.pt; done; done
touch -d '2026-01-02 10:00' run/*
ckpt ls run --indices
ckpt prune run --keep-last 1 --yes; ls run
mkdir other && for n in 1 2; do cp $DATA/run/epoch-10.pt other/epoch=$n-loss=0.25.ckpt; echo $n > other/epoch=$n-loss=0.25.yaml; echo $n > other/epoch=$n-loss=0.25.ckpt.md5; done
echo keep > other/config.yaml && touch -d '2026-01-02 10:00' other/*
ckpt prune other --keep-last 1 --yes; ls other
