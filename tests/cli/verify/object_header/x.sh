# One header of an object that was changed: the quick check sees it, though the file opens.
python3 - <<'PY'
import os, pathlib
data = pathlib.Path(os.environ['DATA'])
for source in ('hdf5/libver_v110.h5', 'jld2/groups/plain_groups.jld2'):
    raw = bytearray((data / source).read_bytes())
    raw[raw.rfind(b'OHDR') + 12] ^= 0x10
    pathlib.Path(pathlib.Path(source).name).write_bytes(raw)
PY
ckpt verify libver_v110.h5; echo "exit $?"
ckpt verify --full libver_v110.h5; echo "exit $?"
ckpt verify *.jld2; echo "exit $?"
