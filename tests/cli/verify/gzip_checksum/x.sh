# pyhopper stops where the pickle does and loads the file; what the checksum says is seen with --full.
python3 - <<'PY'
import os
raw = bytearray(open(os.environ['DATA'] + '/pyhopper/no_history.ckpt', 'rb').read())
raw[-8] ^= 1
open('search.ckpt', 'wb').write(raw)
PY
ckpt verify search.ckpt; echo "exit $?"
ckpt verify --full search.ckpt; echo "exit $?"
