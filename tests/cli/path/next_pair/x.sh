mkdir run && touch run/G_0.pth run/D_0.pth run/G_100.pth run/D_100.pth && ckpt path run --next
mkdir flux && touch flux/checkpoint=2.jld2 && ckpt path flux --next
