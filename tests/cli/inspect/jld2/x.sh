# Roles, kinds and classes of a training state of Lux; and HDF5 is told by its content, whatever the name.
ckpt inspect --json "$DATA/jld2/layout2/checkpoint=10.jld2" > x.json && python3 - <<'PY'
import json
inspected = json.load(open('x.json'))
print(inspected['format'], inspected['producer'])
for e in inspected['entries']:
    if e['path'].count('/') < 3: print(e['path'], e.get('role'), e['kind'], e.get('type', ''), e.get('shape', ''))
PY
cp $DATA/hdf5/numeric.h5 numeric.jld2 && ckpt inspect --json numeric.jld2 | grep -o '"format": *"[a-z0-9]*"'
