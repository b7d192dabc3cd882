cd "$DATA"
ckpt diff run/epoch-40.pt run/epoch-50.pt --json | python3 -c "
import json, sys
found = json.load(sys.stdin)
print(found['same'], len(found['differences']), found['differences'][0], found['differences'][-1], found['roles'][0], sep='\n')"
