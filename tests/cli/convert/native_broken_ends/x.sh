# Known by its footer without its first bytes, by its name without both ends.
python3 - <<'PY'
import os
data = bytearray(open(os.environ['DATA'] + '/native/epoch-40.ckpt', 'rb').read())
data[0] ^= 1
open('head.bin', 'wb').write(data)
data[-1] ^= 1
open('both.ckpt', 'wb').write(data)
open('both.bin', 'wb').write(data)
PY
for file in head.bin both.ckpt both.bin; do ckpt inspect $file; echo "$file: $?"; done
