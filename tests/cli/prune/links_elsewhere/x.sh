# Links beside the folder, in other folders of the tree, into a checkpoint and by way of others protect as those in the folder do.
mkdir -p runs/a && cp $DATA/run/epoch-*.pt runs/a && for n in 1 2 3; do cp -r $DATA/safetensors/hub_sharded runs/a/checkpoint-$n; done
ln -s a/epoch-10.pt runs/best.pt && ln -s checkpoint-1/model-00001-of-00004.safetensors runs/a/first.safetensors
ln -s epoch-20.pt runs/a/good && ln -s ../a/good runs/again && ln -s gone.pt runs/a/dangling.pt && ln -s ring2 runs/a/ring1 && ln -s ring1 runs/a/ring2 && ln -s a runs/current
find runs -type f -exec touch -d '2026-01-02 10:00' {} +
ckpt prune runs/a -l 1 -n; echo "exit $?"
cd runs/a && ckpt prune . -l 1 --yes -q | tail -1; ls
