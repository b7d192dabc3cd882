# That each tensor is covered exactly once, by items that are what the metadata says; with --full every checksum.
cp -r $DATA/dcp/* .
ckpt verify layouts_4 zstd_1 hf_sharded_2 --full
ckpt verify bad/overlap || echo $?
ckpt verify bad/no_metadata || echo $?
cp -r $DATA/dcp/bad/good a
python3 - <<'PY'
data = bytearray(open('a/__1_0.distcp', 'rb').read())
data[data.rindex(b'\x00\x00\x80?')] ^= 1
open('a/__1_0.distcp', 'wb').write(data)
PY
ckpt verify a && ckpt verify a --full || echo $?
mkdir run && cp -r a run/epoch=1-step=10.ckpt && cp -r $DATA/dcp/fsdp2_2 run/epoch=3-step=30.ckpt
ckpt ls run
ckpt last run
ckpt ls run/epoch=3-step=30.ckpt --indices || echo $?
ckpt verify run
# One line for a file, however much it holds.
cp -r $DATA/dcp/fsdp2_2 gone && chmod -R u+w gone && rm gone/__1_0.distcp
ckpt verify gone || echo $?
