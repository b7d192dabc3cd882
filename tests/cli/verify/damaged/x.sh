python3 - <<'PY'
import os
data = bytearray(open(os.environ['DATA'] + '/native/epoch-40-raw.ckpt', 'rb').read())
data[400] ^= 1
open('a.ckpt', 'wb').write(data)
PY
ckpt verify a.ckpt; echo "quick: $?"
ckpt verify --full a.ckpt; echo "full: $?"
ckpt convert a.ckpt b.pt; echo "convert: $?"
ckpt verify --full --json a.ckpt
