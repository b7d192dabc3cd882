mkdir run && cd run && touch checkpoint=9.jld2 checkpoint=10.jld2 notes.txt x.tmp last.ckpt && ckpt ls --indices
