# HDF5 behind a user block of any power of two is found by its content alone.
for size in 512 4096 8192 65536; do
    (head -c $size /dev/zero; cat "$DATA/hdf5/filters.h5") > a.bin
    ckpt inspect a.bin --json | python3 -c "import json, sys; found = json.load(sys.stdin); print(found['format'], len(found['entries']))"
done
(head -c 5000 /dev/zero; cat "$DATA/hdf5/filters.h5") > a.bin
ckpt inspect a.bin; echo "exit $?"
