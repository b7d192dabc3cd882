# A reader that has seen enough is no failure, whether it reads text or a checkpoint.
status() { { "$@"; echo $? >status; } | head -c 10 >/dev/null; cat status; }
status ckpt inspect --json $DATA/run/epoch-40.pt
status ckpt convert $DATA/run/epoch-40.pt - --to hdf5
# Nor do messages that nobody reads stop the work.
{ ckpt convert $DATA/run/epoch-40.pt b.h5 -v; echo $? >status; } 2>&1 | true
cat status
ls -A
