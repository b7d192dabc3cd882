# Ended in the middle: nothing half-written under the final name; after SIGINT nothing is left at all. Where the middle is differs with the
# machine, so each signal falls as soon as the temporary file is there, then later and later until the program is faster.
python3 - <<'PY'
import os, pathlib, signal, struct, subprocess, time, zipfile
# 64 MiB that compress slowly enough to be met: one tensor.
storage = os.urandom(1 << 20) * 64
numel = len(storage) // 4
pickle = (b'\x80\x02}q\x00X\x01\x00\x00\x00wq\x01ctorch._utils\n_rebuild_tensor_v2\nq\x02((X\x07\x00\x00\x00storageq\x03ctorch\nFloatStorage\nq\x04'
          b'X\x01\x00\x00\x000q\x05X\x03\x00\x00\x00cpuq\x06J' + struct.pack('<i', numel) + b'tq\x07QK\x00J' + struct.pack('<i', numel) +
          b'\x85q\x08K\x01\x85q\x09\x89ccollections\nOrderedDict\nq\x0a)Rq\x0btq\x0cRq\x0ds.')
with zipfile.ZipFile('big.pt', 'w') as archive:
    for name, data in (('data.pkl', pickle), ('byteorder', b'little'), ('data/0', storage), ('version', b'3\n')):
        archive.writestr('archive/' + name, data)
old = b'the file of before'

def ended(kind, delay, existing):
    """Starts a conversion, ends it `delay` seconds after its temporary appeared; whether it was met in the middle."""
    out = pathlib.Path('x.h5')
    if existing: out.write_bytes(old)
    job = subprocess.Popen(['ckpt', 'convert', 'big.pt', 'x.h5', '--compress', 'gzip', '--overwrite'], stderr=subprocess.PIPE, text=True)
    while job.poll() is None and not [n for n in os.listdir() if n not in ('big.pt', 'x.h5')]:
        time.sleep(0.001)
    time.sleep(delay)
    job.send_signal(kind)
    message = job.communicate(timeout=60)[1]
    left = [n for n in os.listdir() if n not in ('big.pt', 'x.h5')]
    if job.returncode == 0:
        print('was faster') if delay == 0 else None
    else:
        if job.returncode != (130 if kind == signal.SIGINT else -kind): print('exit', job.returncode, message)
        if kind == signal.SIGINT and left: print('left behind:', left)
        if kind == signal.SIGINT and message != 'ckpt: interrupted\n': print('says', repr(message))
        if existing and out.read_bytes() != old: print('the old file is gone')
        if not existing and out.exists(): print('half written')
    out.unlink(missing_ok=True)
    return job.returncode != 0

for kind in (signal.SIGINT, signal.SIGKILL):
    for existing in (False, True):
        met = sum(ended(kind, delay, existing) for delay in (0, 0.05, 0.2))
        print(kind.name, 'met in the middle' if met else 'never met')
# What a killed process left is removed by the next one that writes there.
done = subprocess.run(['ckpt', 'convert', 'big.pt', 'x.h5'])
print(done.returncode, sorted(os.listdir()))
PY
