# To Julia and back: what changes is said, what cannot be packed is refused, a Julia file comes back the same.
ckpt convert $DATA/run/epoch-40.pt a.jld2 && ckpt convert a.jld2 b.pt && ckpt inspect --tensors a.jld2 > 1 && ckpt inspect --tensors b.pt > 2 && cmp 1 2 && echo same
ckpt convert $DATA/run/epoch-40.pt c.jld2 --compress gzip || echo "exit $?"
ckpt convert -q $DATA/run/epoch-40.pt c.jld2 --compress zlib --julia namedtuple && ckpt inspect --json c.jld2 | grep -o '"producer": *"[a-z]*"'
ckpt convert -q "$DATA/jld2/layout1/checkpoint=5.jld2" x.ckpt && ckpt convert -q x.ckpt x.jld2 && ckpt convert -q "$DATA/jld2/layout1/checkpoint=5.jld2" y.jld2 && cmp x.jld2 y.jld2 && echo same
head -c 100 y.jld2 | tr '\0' '|' | cut -c 1-80
