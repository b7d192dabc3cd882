cp $DATA/run/epoch-40.pt $DATA/native/epoch-40.ckpt .
python3 - <<'PY'
data = bytearray(open('epoch-40.pt', 'rb').read())
data[data.index(b'data/0') + 200] ^= 1
open('changed.pt', 'wb').write(data)
data = bytearray(open('epoch-40.ckpt', 'rb').read())
data[2000] ^= 1
open('changed.ckpt', 'wb').write(data)
PY
ckpt verify --sample 5% epoch-40.pt epoch-40.ckpt
ckpt verify --sample 2 --seed 7 epoch-40.pt
ckpt verify --sample 1000 changed.pt 2>/dev/null; echo "exit $?"
ckpt verify --sample 100% changed.pt 2>/dev/null; echo "exit $?"
ckpt verify --sample 99.9% changed.ckpt 2>/dev/null | head -n 2
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do ckpt verify -q --sample 10% --seed $i changed.pt >/dev/null 2>&1 || echo "found by seed $i"; done
ckpt verify --sample 5% --json epoch-40.pt
ckpt verify --sample 0% epoch-40.pt; echo "exit $?"
# Options that would do nothing, or something else than they say.
ckpt verify --sample 5% --full a.pt; echo "exit $?"
ckpt verify --sample '' a.pt; echo "exit $?"
ckpt verify --sample 5% --seed -1 a.pt; echo "exit $?"
