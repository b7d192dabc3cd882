# The newest that is whole; what was passed over is named, with the reason.
cp -r $DATA/run . && : > run/epoch-50.pt && head -c 5000 $DATA/run/epoch-40.pt > run/epoch-40.pt && echo '<html>' > run/epoch-60.pt
ckpt last run --valid; echo "exit $?"
ckpt last run
ckpt last run --valid --prior-to 30
ckpt last run --valid --index 2> /dev/null
rm run/epoch-[123]0.pt && ckpt last run --valid; echo "exit $?"
ckpt last run --valid --prior-to 5; echo "exit $?"
# A flipped byte in a tensor is seen by --full alone.
cp $DATA/run/epoch-20.pt run && python3 - <<'PY'
data = bytearray(open('run/epoch-20.pt', 'rb').read())
at = data.rindex(b'/data/0FB') if b'/data/0FB' in data else data.index(b'/data/0')
data[at + 200] ^= 1
open('run/epoch-20.pt', 'wb').write(data)
PY
cp $DATA/run/epoch-10.pt run
ckpt last run --valid 2> /dev/null; ckpt last run --valid --full
