# Chunks and filters of an HDF5 file stay when it loses its optimizer.
mkdir run && for n in 10 20; do cp $DATA/hdf5/checkpoint_nested.h5 run/epoch-$n.h5; done && touch -d '2026-01-02 10:00' run/*
ckpt extract -q run/epoch-10.h5 --drop optimizer -o kept.h5 --keep-layout
ckpt extract -q run/epoch-10.h5 --drop optimizer -o chosen.h5
ckpt prune run --keep-last 1 --strip optimizer --yes -q > /dev/null; echo "exit $?"
cmp kept.h5 run/epoch-10.h5; cmp -s chosen.h5 run/epoch-10.h5 || echo "not as a file without chunks"
