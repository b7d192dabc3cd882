# A fill value makes any number of elements: refused before anything is planned or written, unless it is allowed.
for to in 'a.pt' 'a.h5' 'a.h5 --compress gzip' 'a.jld2 --compress zlib' 'a.ckpt' 'a.ckpt --codec raw' '- --to native'; do
    ckpt convert "$DATA/hdf5/bad/claims_2_60_elements.h5" $to 2>&1
    echo "exit $?"
done
for size in 1k 0.5KiB '1 MiB' 20000 1x 1e3 -1 99999999999G; do
    ckpt convert "$DATA/run/epoch-40.pt" small.h5 --overwrite --max-output "$size" 2>&1
    echo "$size: exit $?"
done
ckpt convert "$DATA/run/epoch-40.pt" small.h5 --overwrite --max-output 1MiB --allow-huge 2>&1
ckpt extract "$DATA/run/epoch-40.pt" --model-only -o model.h5 --max-output 0 2>&1
ckpt inspect --json --digest "$DATA/hdf5/bad/claims_2_60_elements.h5" | grep -o '"digest":[^,}]*'
ls
