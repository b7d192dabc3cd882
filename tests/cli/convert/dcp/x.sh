# A folder of shards becomes one file; a link that leads out of the folder is not followed, one that stays is.
ckpt convert $DATA/dcp/fsdp_sharded_2.ckpt a.pt
ckpt inspect a.pt | sed 1d | head -n 7
ckpt convert $DATA/dcp/layouts_4 b.safetensors --allow-loss 2> lost
grep -c 'left out' lost
ckpt convert $DATA/dcp/hf_sharded_2 c.safetensors
ckpt inspect c.safetensors --tensors | head -n 3
cp -r $DATA/dcp/bad/good links
mv links/__1_0.distcp links/elsewhere && ln -s elsewhere links/__1_0.distcp
ckpt convert links d.pt && echo followed
mv links/elsewhere out.distcp && ln -sf ../out.distcp links/__1_0.distcp
ckpt convert links e.pt || echo $?
rm links/__1_0.distcp && mkfifo links/__1_0.distcp
ckpt convert links e.pt || echo $?
ls
