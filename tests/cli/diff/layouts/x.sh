for to in jld2 h5 ckpt; do
    ckpt convert "$DATA/run/epoch-40.pt" a.$to 2>/dev/null
    ckpt diff "$DATA/run/epoch-40.pt" a.$to
done
ckpt diff a.jld2 a.h5
