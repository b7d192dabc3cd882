cd "$DATA/hdf5/bad"
file=claims_2_60_elements.h5
ckpt diff $file $file
echo $?
ckpt plot $file "$(ckpt inspect $file --json | python3 -c "import json, sys; print([e['path'] for e in json.load(sys.stdin)['entries'] if e['kind'] == 'tensor'][0])")" --data
