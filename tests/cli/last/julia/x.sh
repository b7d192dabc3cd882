# The questions that a training loop in Julia asks of its folder: which there are, the last, the last before, the one at, the path, what to go on with.
mkdir run && for n in 5 10 15 40; do cp "$DATA/jld2/layout1/checkpoint=5.jld2" run/checkpoint=$n.jld2; done
touch run/notes.txt
ckpt ls run --indices
ckpt last run
ckpt last run --prior-to 40
ckpt last run --prior-to 5 || echo "none: $?"
ckpt last run --at 15
ckpt last run --at 20
ckpt last run --at 15 --next
ckpt last run --next
ckpt path run 10
ckpt path run --next
