# The folder of a run is no checkpoint whatever its name is: what is in it says so, and -r finds the checkpoints.
for run in seed_0 1 fold_2/checkpoints; do mkdir -p runs/$run && for n in 1 2; do cp $DATA/run/epoch-10.pt runs/$run/epoch_$n.pth; done; done
mkdir runs/exp_3 && cp -r $DATA/safetensors/hub_sharded runs/exp_3/checkpoint-500 && mkdir runs/export_4 && cp $DATA/run/epoch-10.pt runs/export_4/model.pt
ckpt ls -0 runs | tr '\0' '\n'; echo
ckpt ls -0 -r runs | tr '\0' '\n'
find runs -exec touch -d '2026-01-02 10:00' {} + && ckpt prune -r runs --keep-last 1 --yes -q > out; echo "exit $?"
find runs -name '*.pth' | sort
