# A set counts as valid only with all its parts whole; the rest of one that a kill left behind goes with the leftovers.
mkdir run && for n in 1 2 3 4; do for shard in 0 1 2; do cp $DATA/run/epoch-10.pt run/checkpoint_${n}_${n}00-model_part-0-shard$shard.pt; done; done
rm run/checkpoint_4_400-model_part-0-shard2.pt && head -c 5000 $DATA/run/epoch-10.pt > run/checkpoint_3_300-model_part-0-shard1.pt && touch -d '2026-01-02 10:00' run/*
ckpt last run --valid; ckpt ls run -0 --valid 2> /dev/null | tr '\0' '\n'
ckpt prune run -l 1 -n
mv run/checkpoint_1_100-model_part-0-shard0.pt run/.checkpoint_1_100-model_part-0-shard0.pt.ckpt-tmp-0123abcd
ckpt prune run -l 1 --yes | head -2
ckpt prune run -l 1 --remove-tmp --yes -q; ls -A run
# The same of a file and what has its name.
mkdir other && cp $DATA/run/epoch-10.pt other/epoch=2.ckpt && cp $DATA/run/epoch-10.pt other/.epoch=1.ckpt.ckpt-tmp-89abcdef && echo 1 > other/epoch=1.yaml && echo 2 > other/epoch=2.yaml && echo 3 > other/config.yaml && touch -d '2026-01-02 10:00' other/* other/.ep*
ckpt prune other --remove-tmp --yes; ls -A other
