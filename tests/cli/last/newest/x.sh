mkdir run && touch run/checkpoint=9.jld2 run/checkpoint=10.jld2 && ckpt last run
