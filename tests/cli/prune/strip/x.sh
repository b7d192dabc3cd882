# Old ones lose their optimizer and stay; their times stay as well, and a second run finds nothing more to take.
cp -r $DATA/run . && touch -d '2026-01-02 10:00' run/*
ckpt prune run --keep-last 1 --strip optimizer --yes -q; echo "exit $?"
ls -l --time-style=+%F run | awk 'NR > 1 {print $6, $7}'
for n in 10 50; do ckpt inspect run/epoch-$n.pt --json | python3 -c "import json, sys; print(sorted({e['role'] for e in json.load(sys.stdin)['entries'] if e.get('role')}))"; done
cp run/epoch-10.pt before && ckpt prune run --keep-last 1 --strip optimizer --yes -q; echo "exit $?"
cmp before run/epoch-10.pt && ls -A run
