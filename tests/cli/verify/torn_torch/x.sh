head -c 8000 $DATA/run/epoch-40.pt > torn.pt
ckpt verify torn.pt; echo "quick: $?"
ckpt verify --full torn.pt | tail -n 1
head -c 200 $DATA/run/epoch-40.pt > head.pt
ckpt verify head.pt; echo "head: $?"
