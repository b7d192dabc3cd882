cd $DATA/jld2/layout2 && ckpt inspect checkpoint=10.jld2 && cd - > /dev/null
# HDF5 is told by its content, whatever the name.
cp $DATA/hdf5/numeric.h5 numeric.jld2 && ckpt inspect numeric.jld2 | head -n 1
