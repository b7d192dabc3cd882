# The values of a sparse tensor are numbers, too; a complex element has two of them.
python3 - <<'PY'
import zipfile
# As torch writes a sparse tensor of indices [[1]] and values [nan], and three complex zeros.
def text(value):
    raw = value.encode()
    return b'X' + len(raw).to_bytes(4, 'little') + raw
def number(n):
    return b'K' + bytes([n])
def tensor(cls, key, count, size):
    storage = b'(' + text('storage') + ('ctorch\n%s\n' % cls).encode() + text(key) + text('cpu') + number(count) + b'tQ'
    sizes = b'(' + b''.join(number(n) for n in size) + b't'
    strides = b'(' + b''.join(number(1) for n in size) + b't'
    return b'ctorch._utils\n_rebuild_tensor_v2\n(' + storage + number(0) + sizes + strides + b'\x89' + b'ccollections\nOrderedDict\n)RtR'
layout = b'ctorch.serialization\n_get_layout\n' + text('torch.sparse_coo') + b'\x85R'
sparse = b'ctorch._utils\n_rebuild_sparse_tensor\n' + layout + b'(' + tensor('LongStorage', '0', 1, [1, 1]) + tensor('FloatStorage', '1', 1, [1]) + b'(' + number(3) + b't\x89t\x86R'
body = b'\x80\x02}(' + text('sparse') + sparse + text('zeros') + tensor('ComplexFloatStorage', '2', 3, [3]) + b'u.'
with zipfile.ZipFile('a.pt', 'w') as z:
    z.writestr('a/data.pkl', body)
    z.writestr('a/data/0', (1).to_bytes(8, 'little'))
    z.writestr('a/data/1', b'\x00\x00\xc0\x7f')
    z.writestr('a/data/2', bytes(24))
    z.writestr('a/version', '3\n')
PY
ckpt verify --values a.pt
