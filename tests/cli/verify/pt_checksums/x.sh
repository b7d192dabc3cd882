python3 - <<'PY'
import os
data = bytearray(open(os.environ['DATA'] + '/run/epoch-40.pt', 'rb').read())
at = data.index(b'data/0') + 200
data[at] ^= 1
open('a.pt', 'wb').write(data)
PY
ckpt verify a.pt && ckpt verify --full a.pt
