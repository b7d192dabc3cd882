cd "$DATA"
ckpt inspect run/epoch-40.pt --hist 10 | head -n 8
ckpt inspect run/epoch-40.pt --hist 2 --json | python3 -c "import json, sys; print([e['stats']['histogram'] for e in json.load(sys.stdin)['entries'] if 'stats' in e][0])"
