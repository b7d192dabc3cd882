# Folders of a Trainer: a limit of one and the best one, metrics of its log, the optimizer in a file of its own.
for n in 500 1000 1500; do mkdir -p run/checkpoint-$n && cp $DATA/safetensors/hub_sharded/* run/checkpoint-$n && cp $DATA/run/epoch-10.pt run/checkpoint-$n/optimizer.pt
printf '{"best_metric": 0.5, "best_model_checkpoint": "/old/run/checkpoint-500", "global_step": %s, "log_history": [{"eval_loss": NaN}, {"eval_loss": 0.%s, "step": 1}]}' $n $((2000 - n)) > run/checkpoint-$n/trainer_state.json; done
find run -exec touch -d '2026-01-02 10:00' {} +
ckpt prune run -l 1 -n; echo "exit $?"
ckpt prune run --keep-best 1 --metric eval_loss --json -n | grep '"metric"'
ckpt prune run -l 1 --strip optimizer --yes; echo "exit $?"
ls run/*/optimizer.pt; ckpt verify run -q
ckpt prune run -l 1 --strip optimizer --yes; echo "exit $?"
# The same beside files.
mkdir pair && for n in 1 2; do cp $DATA/safetensors/hub_sharded/model-00001-of-00004.safetensors pair/model_$n.safetensors; cp $DATA/run/epoch-10.pt pair/optimizer_$n.pth; done; touch -d '2026-01-02 10:00' pair/*
ckpt prune pair -l 1 --strip optimizer --yes -q; ls pair
