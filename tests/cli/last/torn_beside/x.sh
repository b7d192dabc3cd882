# A folder whose optimizer is torn, or that lacks a shard, is none to go on from; nor is a rank's file that is torn.
for n in 1 2 3 4; do cp -r $DATA/safetensors/hub_sharded run$n 2> /dev/null; mkdir -p run; mv run$n run/checkpoint-${n}00; cp $DATA/run/epoch-10.pt run/checkpoint-${n}00/optimizer.pt; done
: > run/checkpoint-400/optimizer.pt && rm run/checkpoint-300/model-00002-of-00004.safetensors && head -c 3000 $DATA/run/epoch-10.pt > run/checkpoint-200/scheduler.pt
ckpt last run --valid; echo "exit $?"
for n in 10 20; do for rank in 0 1; do mkdir -p mega/iter_00000$n/mp_rank_0$rank && cp $DATA/run/epoch-10.pt mega/iter_00000$n/mp_rank_0$rank/model_optim_rng.pt; done; done
ckpt last mega --valid; : > mega/iter_0000020/mp_rank_01/model_optim_rng.pt; ckpt last mega --valid --json | grep -e path -e state
