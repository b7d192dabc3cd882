# Names with spaces, quotes, ends of lines, escapes, bytes that are no UTF-8, a dash in front.
mkdir run && python3 - <<'PY'
import os, shutil
for name in [b'my\nrun-epoch=%d.ckpt', b'caf\xe9-%d.pt', b'-x-%d.pt', b'a b%d.pt', b'q"uote\'-%d.pt', b'$(touch made)-%d.pt', b'x\x1b[31m%d.pt']:
    for n in (9, 10): shutil.copy(os.environb[b'DATA'] + b'/run/epoch-10.pt', b'run/' + name % n)
for name in os.listdir(b'run'): os.utime(b'run/' + name, (1767348000, 1767348000))
PY
cd run && ckpt prune . -l 1 -n; ckpt prune . -l 1 --json -n | python3 -c "import json, sys; plan = json.load(sys.stdin); print(plan['keep'], plan['remove'])"
ckpt prune . -l 1 --yes -q > /dev/null; echo "exit $?"; ls -b
