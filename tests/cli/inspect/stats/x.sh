cd "$DATA"
ckpt inspect --stats run/epoch-40.pt
ckpt inspect --stats --json run/epoch-40.pt | python3 -c "import json, sys; print([e['stats'] for e in json.load(sys.stdin)['entries'] if 'stats' in e][0])"
