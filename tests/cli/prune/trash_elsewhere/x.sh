# The trash may lie on another file system: what is there is whole, and times are kept.
trash=/dev/shm/ckpt-cli-$$
mkdir $trash 2> /dev/null && [ "$(stat -c %d $trash)" != "$(stat -c %d .)" ] || { rmdir $trash 2> /dev/null; echo "/dev/shm is no other file system" >&2; exit 77; }
trap 'rm -rf $trash' EXIT
mkdir run && for n in 1 2; do cp -r $DATA/safetensors/hub_sharded run/checkpoint-$n; cp $DATA/run/epoch-10.pt run/epoch=$n.ckpt; echo $n > run/epoch=$n.yaml; done && find run -exec touch -d '2026-01-02 10:00' {} +
ckpt prune run -l 1 --trash $trash --yes -q | tail -1 | sed "s#$trash#TRASH#"; echo "exit $?"
ls run $trash | grep -v :; cmp $trash/epoch=1.ckpt $DATA/run/epoch-10.pt; diff -r $trash/checkpoint-1 $DATA/safetensors/hub_sharded
ls -l --time-style=+%F $trash $trash/checkpoint-1 | awk 'NF > 5 && $6 != "2026-01-02" && $7 !~ /^checkpoint/ {print}'
