# Of a search state that was cut each list has its first entries, all whole.
python3 - <<'PY'
import gzip, os
whole = gzip.open(os.environ['DATA'] + '/pyhopper/nan_min.ckpt').read()
for name, part in ('a', 0.4), ('b', 0.8), ('c', 0.93):
    open(name + '.ckpt', 'wb').write(gzip.compress(whole[:int(len(whole) * part)])[:-8])
PY
for name in a b c; do
    ckpt extract --salvage $name.ckpt -o $name.pkl 2>&1; echo "exit $?"
    ckpt get $name.pkl --json | python3 -c 'import json, sys; s = json.load(sys.stdin); print({k: len(v) if isinstance(v, list) else v for k, v in s.get("history", {}).items()}, len(s["cache"]["cache"]))'
done
cp "$DATA/pyhopper/bad/cut1.ckpt" d.ckpt
ckpt extract --salvage d.ckpt -o d.pkl; echo "exit $?"
