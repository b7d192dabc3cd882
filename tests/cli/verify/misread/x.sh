# What torch and NumPy read otherwise, or not at all, though every byte and checksum is as it was: both tiers say so.
cp "$DATA/run/epoch-10.pt" a.pt && python3 - <<'PY'
import io, zipfile
data = bytearray(open('a.pt', 'rb').read())
at = data.rindex(b'/data/2')
entry = data.rindex(b'PK\1\2', 0, at)
data[entry + 38] |= 0x10  # torch loads whatever memory it gets, without an error
open('a.pt', 'wb').write(data)
header = b"\x93NUMPY\1\0v\0" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }".ljust(117) + b'\n'
out = io.BytesIO()
with zipfile.ZipFile(out, 'w') as archive:
    archive.writestr(zipfile.ZipInfo('w.npy'), header + bytes(8))
data = bytearray(out.getvalue())
open('good.npz', 'wb').write(data)
data[data.index(b'w.npy')] = ord('v')  # np.load: File name in directory 'w.npy' and header b'v.npy' differ
open('b.npz', 'wb').write(data)
PY
ckpt verify a.pt b.npz good.npz; echo "exit $?"
ckpt verify --full a.pt b.npz good.npz | tail -1
ckpt verify --json b.npz | grep -e path -e what
