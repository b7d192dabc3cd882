python3 - <<'PY'
import os, pathlib, subprocess
for name in ('run/epoch-40.pt', 'hdf5/checkpoint_flat.h5', 'native/epoch-40.ckpt'):
    data = pathlib.Path(os.environ['DATA'], name).read_bytes()
    for sixteenth in range(16):
        cut = pathlib.Path('cut' + pathlib.Path(name).suffix)
        cut.write_bytes(data[:len(data) * sixteenth // 16])
        for command in (['inspect', cut], ['convert', cut, 'out.pt'], ['extract', '--model-only', cut, '-o', 'out.pt']):
            done = subprocess.run(['ckpt', *command], capture_output=True, text=True)
            if command[0] == 'inspect':
                print(f'{sixteenth}/16: exit {done.returncode}: {done.stderr}', end='')
                first = done
            elif (done.returncode, done.stderr, done.stdout) != (first.returncode, first.stderr, ''):
                print(f'{command[0]}: exit {done.returncode}: {done.stderr}')
        if sorted(os.listdir()) != [cut.name]:
            print('left behind:', os.listdir())
    cut.unlink()
PY
