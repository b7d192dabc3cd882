# Each layout as it can: what has no optimizer, and what cannot be written without it, stays and says why.
mkdir run && cp $DATA/run/epoch-40.pt run/epoch=1.ckpt && cp $DATA/native/epoch-40.ckpt run/epoch=2.ckpt && cp $DATA/hdf5/checkpoint_nested.h5 run/epoch=3.ckpt
ckpt convert -q $DATA/run/epoch-40.pt run/a.pkl && mv run/a.pkl run/epoch=4.ckpt && ckpt convert -q $DATA/run/epoch-40.pt run/a.jld2 && mv run/a.jld2 run/epoch=5.ckpt
cp $DATA/safetensors/hub_sharded/model-00001-of-00004.safetensors run/epoch=6.ckpt && cp $DATA/run/epoch-50.pt run/epoch=9.ckpt
mkdir far && cp $DATA/run/epoch-40.pt far/epoch=7.ckpt && ln -s ../far/epoch=7.ckpt run/epoch=7.ckpt
ckpt convert -q $DATA/run/epoch-40.pt --to dcp run/epoch=8.ckpt; find run far -exec touch -d '2026-01-02 10:00' {} +
ckpt prune run -l 1 --strip optimizer --yes | sed 's/  *[0-9.]* KiB */ /'; echo "exit $?"
for n in 1 2 3 4 5 7; do echo "$n $(ckpt inspect run/epoch=$n.ckpt --json | grep -o '"role": *"optimizer"' | sort -u | wc -l)"; done
ckpt verify run -q --full | tail -1; cmp far/epoch=7.ckpt $DATA/run/epoch-40.pt; ckpt prune run -l 1 --strip optimizer --yes -q | tail -1
