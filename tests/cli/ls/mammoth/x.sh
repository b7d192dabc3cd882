# Model, dataset, buffer, epochs and start of each run, by arguments or, unopened, by names; what was saved when a run was interrupted.
cp -r "$DATA/mammoth/checkpoints" . && find checkpoints -exec touch -d '3 days ago' {} + && rm checkpoints/*.json checkpoints/paused/*.json
ckpt ls checkpoints
ckpt ls checkpoints --json | grep -v '"bytes"\|"mtime"' | grep -A 24 -E '"name": "(my_base|7c9e|er_seq)'
cd "$DATA/mammoth/documented/checkpoints" && ckpt ls --json . | grep -A 9 '"run"'
ckpt last "$DATA/mammoth/checkpoints" --by task --index
