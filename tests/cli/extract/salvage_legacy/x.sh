# A stream of before torch 1.6 that was cut: the storages that are all there.
size=$(wc -c < "$DATA/torch/old/legacy.pt")
head -c $((size - 60)) "$DATA/torch/old/legacy.pt" > torn.pt
ckpt verify torn.pt; echo "exit $?"
ckpt extract --salvage torn.pt -o rescued.pt; echo "exit $?"
ckpt inspect --tensors rescued.pt
head -c 500 torn.pt > head.pt
ckpt extract --salvage head.pt -o none.pt; echo "exit $?"
ls
