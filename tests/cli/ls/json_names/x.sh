# JSON has the names as they are; what is no UTF-8 has U+FFFD.
mkdir run && cp $DATA/run/epoch-10.pt "run/a
b_4.pt" && cp $DATA/run/epoch-20.pt "$(printf 'run/c\377_5.pt')" && find run -exec touch -d '2026-01-02 10:00' {} +
ckpt ls --json run > ls.json; ckpt prune run -l 1 -n --json > prune.json
python3 - <<'PY'
import json
print(sorted(c['path'] for c in json.load(open('ls.json'))['checkpoints']))
print(sorted(c['path'] for c in json.load(open('prune.json'))['plan']))
PY
