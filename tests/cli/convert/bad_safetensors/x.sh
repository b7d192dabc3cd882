# Every damaged or borderline safetensors file: its own message, exit 4, no output; what others read too is read, oddities with a warning.
python3 - <<'PY'
import csv, os, pathlib, resource, subprocess
folder = pathlib.Path(os.environ['DATA'], 'safetensors/bad')
def limit():
    if 'SANITIZED' not in os.environ: resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
for row in csv.DictReader(open(folder / 'outcomes.tsv'), delimiter='\t'):
    name, must = row['file'], row['must']
    listed = subprocess.run(['ckpt', 'inspect', '--json', folder / name], capture_output=True, text=True, timeout=10, preexec_fn=limit)
    done = subprocess.run(['ckpt', 'convert', folder / name, 'out.pt'], capture_output=True, text=True, timeout=10, preexec_fn=limit)
    wrote = os.path.exists('out.pt')
    codes = (listed.returncode, done.returncode)
    good = {'refuse': codes == (4, 4) and not wrote, 'read': codes == (0, 0) and wrote and 'warning' not in done.stderr,
            'warn': codes == (0, 0) and wrote and 'warning' in done.stderr}[must]
    print(f'{name}: {"" if good else "NOT AS EXPECTED: "}exit {done.returncode}')
    print(done.stderr.replace(f'{folder}/', ''), end='')
    if wrote: os.unlink('out.pt')
PY
