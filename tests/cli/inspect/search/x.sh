# What a search came to: running and finished, with a pruner, with a best that is older than the history, without history.
cd "$DATA/pyhopper"
for file in nan_min quantile.midrun bowl_max.stale no_history v1.1_topk fresh_topk; do
    ckpt inspect $file.ckpt --depth 1 | head -9
done
ckpt inspect --json bowl_max.stale.ckpt | python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin)["search"]))'
ckpt verify bowl_max.stale.ckpt
