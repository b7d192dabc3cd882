python3 - <<'PY'
import os, pathlib, signal, subprocess, time
source = os.environ['DATA'] + '/run/epoch-10.pt'
for kind in (signal.SIGINT, signal.SIGKILL):
    for wait in (0.0, 0.001, 0.003, 0.01):
        job = subprocess.Popen(['ckpt', 'convert', source, 'x.pt', '--overwrite'], stderr=subprocess.DEVNULL)
        time.sleep(wait)
        job.send_signal(kind)
        code = job.wait()
        out = pathlib.Path('x.pt')
        if out.exists() and out.read_bytes() != open(source, 'rb').read():
            print('half written')
        if kind == signal.SIGINT and [p for p in os.listdir('.') if p.startswith('.x.pt')]:
            print('a temporary is left')
PY

