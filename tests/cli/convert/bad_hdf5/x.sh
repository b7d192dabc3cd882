# Every damaged HDF5 file: its own message, the exit code that its table asks for, and no output. What is listed keeps its sound part.
python3 - <<'PY'
import csv, json, os, pathlib, resource, subprocess
folder = pathlib.Path(os.environ['DATA'], 'hdf5/bad')
def limit():
    if 'SANITIZED' not in os.environ: resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
for row in csv.DictReader(open(folder / 'outcomes.tsv'), delimiter='\t', quoting=csv.QUOTE_NONE):
    name, expected = row['file'], row['expected']
    listed = subprocess.run(['ckpt', 'inspect', '--json', folder / name], capture_output=True, text=True, timeout=10, preexec_fn=limit)
    entries = len(json.loads(listed.stdout)['entries']) if listed.stdout else 0
    done = subprocess.run(['ckpt', 'convert', folder / name, 'out.pt'], capture_output=True, text=True, timeout=10, preexec_fn=limit)
    wrote = os.path.exists('out.pt')
    good = {'error': done.returncode in (3, 4, 5) and entries == 0, 'list': entries > 1 and (done.returncode in (4, 5) or done.stderr != ''),
            'read': done.returncode == 0 or entries > 1, 'either': done.returncode in (0, 4, 5)}[expected] and wrote == (done.returncode == 0)
    print(f'{name}: {"" if good else "NOT AS EXPECTED: "}{entries} listed, exit {done.returncode}')
    print(done.stderr.replace(f'{folder}/', ''), end='')
    if wrote: os.unlink('out.pt')
PY
