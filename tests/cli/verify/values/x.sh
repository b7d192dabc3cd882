# A run that has diverged saves whole files: only the numbers tell.
python3 - <<'PY'
import json, struct
def save(name, tensors):
    header, data = {}, b''
    for key, values in tensors.items():
        raw = struct.pack('<%df' % len(values), *values)
        header[key] = {'dtype': 'F32', 'shape': [len(values)], 'data_offsets': [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    open(name, 'wb').write(struct.pack('<Q', len(text)) + text + data)
nan, inf = float('nan'), float('inf')
save('good.safetensors', {'w': [1, 2, 3]})
save('odd.safetensors', {'bias': [0, 0, 0, 0], 'w': [1, 1e-40, 2]})
save('bad.safetensors', {'fc.weight': [1, nan, nan], 'fc.bias': [inf, 1], 'w': [1, 2]})
PY
ckpt verify good.safetensors odd.safetensors bad.safetensors; echo "exit $?"
ckpt verify --values good.safetensors odd.safetensors; echo "exit $?"
ckpt verify --values good.safetensors odd.safetensors bad.safetensors; echo "exit $?"
ckpt verify --values --json bad.safetensors; echo "exit $?"
