# Every damaged distributed checkpoint: its own message, exit 4, no output; what is only odd is read, with a warning.
python3 - <<'PY'
import csv, os, pathlib, resource, subprocess
folder = pathlib.Path(os.environ['DATA'], 'dcp/bad')
def limit():
    if 'SANITIZED' not in os.environ: resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
for row in csv.DictReader(open(folder / 'outcomes.tsv'), delimiter='\t'):
    name, must = row['folder'], row['must']
    done = subprocess.run(['ckpt', 'convert', folder / name, 'out.pt'], capture_output=True, text=True, timeout=10, preexec_fn=limit)
    wrote = os.path.exists('out.pt')
    good = {'refuse': done.returncode == 4 and not wrote, 'read': done.returncode == 0 and wrote and done.stderr == '',
            'warn': done.returncode == 0 and wrote and 'warning' in done.stderr}[must]
    print(f'{name}: {"" if good else "NOT AS EXPECTED: "}exit {done.returncode}')
    print(done.stderr.replace(f'{folder}/', ''), end='')
    if wrote: os.unlink('out.pt')
PY
