# 256 MiB of tensors pass through a fraction of it; `inspect` reads the index only.
[ -z "$SANITIZED" ] || { echo 'the sanitizer takes memory of its own' >&2; exit 77; }
python3 - <<'PY' 
import os, struct, zipfile
numel = 8 << 20
def text(s): return b'X' + struct.pack('<I', len(s)) + s.encode()
pickle = b'\x80\x02}('
for i in range(8):
    pickle += (text(f'layer{i}.weight') + b'ctorch._utils\n_rebuild_tensor_v2\n((' + text('storage') + b'ctorch\nFloatStorage\n' + text(str(i)) + text('cpu') +
               b'J' + struct.pack('<i', numel) + b'tQK\x00J' + struct.pack('<i', numel) + b'\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtR')
pickle += b'u.'
with zipfile.ZipFile('big.pt', 'w') as archive:
    archive.writestr('archive/data.pkl', pickle)
    archive.writestr('archive/byteorder', 'little')
    for i in range(8): archive.writestr(f'archive/data/{i}', os.urandom(1 << 20) * 32)
    archive.writestr('archive/version', '3\n')
import pickle
with zipfile.ZipFile('many.pt', 'w') as archive:
    archive.writestr('archive/data.pkl', pickle.dumps(list(range(2000000)), 2))
    archive.writestr('archive/byteorder', 'little')
    archive.writestr('archive/version', '3\n')
PY
# within MIB COMMAND...: a process counts the memory of the one that forked it until it starts, so a small shell does that, not Python.
within() {
    limit=$1; shift
    ckpt "$@" -v 2>err >out || { cat err; return; }
    awk -v limit=$limit -v what="$*" '/peak memory/ { print what ": " ($5 ~ /^MiB/ && $4 < limit ? "in bounds" : $0) }' err
}
within 32 inspect big.pt
within 64 convert big.pt x.h5
within 64 convert x.h5 y.pt
within 64 convert big.pt z.h5 --compress zstd
within 64 convert z.h5 z.pt
within 64 extract --model-only big.pt -o m.pt
within 72 convert big.pt n.ckpt -j 2
within 64 convert n.ckpt n.pt
within 72 convert big.pt r.ckpt --codec raw -j 2
within 64 convert r.ckpt r.pt
within 128 convert many.pt many.ckpt
within 96 convert many.ckpt again.pt
within 64 verify many.ckpt
within 192 inspect many.ckpt
for copy in z m n r; do cmp y.pt $copy.pt || echo they differ; done
