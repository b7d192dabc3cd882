# On a terminal it asks; anything but yes removes nothing. What changes while it waits, or comes to be linked to, is left alone.
cat > ask.py <<'PY'
import os, pty, re, sys
def ask(arguments, answer, before=lambda: None):
    pid, terminal = pty.fork()
    if pid == 0: os.execvp('ckpt', ['ckpt', 'prune', *arguments])
    text = b''
    while b'[y/N]' not in text: text += os.read(terminal, 4096)
    before()
    os.write(terminal, answer)
    try:
        while True:
            more = os.read(terminal, 4096)
            if not more: break
            text += more
    except OSError: pass
    lines = text.decode().replace('\r', '').split('\n')
    print(*[re.sub(r'\x1b\[[0-9;]*m', '', line) for line in lines if '[y/N]' in line or 'ckpt: ' in line or 'freed' in line], sep='\n')
    print('exit', os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), sorted(os.listdir('run')))
ask(['run', '-l', '2'], b'n\n')
ask(['run', '-l', '2'], b'\n')
ask(['run', '-l', '2'], b'\x04')
ask(['run', '-l', '2'], b'\x03')
ask(['run', '-l', '2'], b'y\n', lambda: os.symlink('epoch-20.pt', 'run/best.pt'))
def grow():
    with open('run/checkpoint-2/model-00002-of-00004.safetensors', 'ab') as file: file.write(b'more')
os.remove('run/best.pt')
ask(['run', '-l', '1'], b'yes\n', grow)
PY
cp -r $DATA/run . && for n in 1 2 3; do cp -r $DATA/safetensors/hub_sharded run/checkpoint-$n; done && find run -exec touch -d '2026-01-02 10:00' {} +
python3 ask.py
