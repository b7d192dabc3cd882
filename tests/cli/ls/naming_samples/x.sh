# Each sample is classified as it should be: by its convention, as a shard, as nothing, or as a leftover.
cat > check.py <<'PY'
import json, os, pathlib, subprocess
samples = [line.split('\t') for line in pathlib.Path(os.environ['DATA'], 'naming-samples.tsv').read_text().splitlines()]
for name, kind, _ in samples:
    path = pathlib.Path('run', name)
    path.parent.mkdir(exist_ok=True)
    if kind == 'd': path.mkdir(), (path / 'model.safetensors').touch()
    else: path.touch()
found = subprocess.run(['ckpt', 'ls', '--json', 'run'], capture_output=True, text=True)
listed = json.loads(found.stdout)
schemes = {one['name']: one['scheme'] for one in listed['checkpoints']}
reasons = {os.path.basename(one['path']): one['why'] for one in listed['skipped']}
wrong = 0
for name, _, scheme in samples:
    why = reasons.get(name, '')
    if scheme.endswith('-shard'): good = why.startswith('a shard') and name not in schemes
    elif scheme == 'NONE': good = name not in schemes and not why.startswith('leftover')
    elif scheme == 'TMP': good = why.startswith('leftover')
    else: good = schemes.get(name) == scheme
    wrong += not good
    if not good: print(name, scheme, schemes.get(name), why)
print(len(samples), 'samples,', wrong, 'wrong;', 'exit', found.returncode, found.stderr)
PY
python3 check.py
