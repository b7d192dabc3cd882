# A folder of 10,000 names is listed by its names: most of these are no checkpoints, and none is opened.
python3 - <<'PY'
import os, subprocess
os.mkdir('run')
for i in range(10000):
    open(f'run/epoch-{i}.pt' if i % 2 else f'run/notes-{i}.txt', 'w').close()
trace = subprocess.run(['ckpt', 'ls', 'run', '--json', '-v'], capture_output=True, text=True)
print(trace.stdout.count('"index"'), trace.stderr.split(', ', 1)[1], end='')
PY
ckpt last run --prior-to 4000
