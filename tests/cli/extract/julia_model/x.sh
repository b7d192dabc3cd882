# The model alone, whatever the sections are called: its parameters, and its states where they are apart.
for f in layout1/checkpoint=5 layout2/checkpoint=10 layout2_trainstate/checkpoint=30 layout_docs/checkpoint=25; do
    ckpt extract "$DATA/jld2/$f.jld2" --model-only -o model.pt --overwrite && echo "$f" && ckpt inspect model.pt --tensors
    ckpt extract "$DATA/jld2/$f.jld2" --role optimizer -o optimizer.jld2 --rest rest.jld2 --overwrite && ckpt inspect --tensors rest.jld2 | wc -l
done
