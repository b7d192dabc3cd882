# What a pointer file names stays; a stale one protects nothing and is named.
mkdir run && for n in 1 2 3 4; do cp -r $DATA/safetensors/hub_sharded run/global_step$n; done
echo global_step1 > run/latest && find run -exec touch -d '2026-01-02 10:00' {} +
ckpt prune run --keep-last 1 -n; echo "exit $?"
echo global_step9 > run/latest
ckpt prune run --keep-last 1 -n; echo "exit $?"
mkdir mega && for n in 10 20; do cp -r $DATA/safetensors/hub_sharded mega/iter_00000$n; done
echo 10 > mega/latest_checkpointed_iteration.txt && find mega -exec touch -d '2026-01-02 10:00' {} +
ckpt prune mega --keep-last 1 -n; echo "exit $?"
mkdir detectron && cp $DATA/run/epoch-10.pt detectron/model_0000099.pth && cp $DATA/run/epoch-20.pt detectron/model_0000199.pth
printf '/old/place/model_0000099.pth' > detectron/last_checkpoint && touch -d '2026-01-02 10:00' detectron/*
ckpt prune detectron --keep-last 1 -n; echo "exit $?"
