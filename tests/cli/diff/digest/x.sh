# Two native checkpoints say the digests of their storages: the tensors themselves are not read.
ckpt convert "$DATA/run/epoch-40.pt" a.ckpt
ckpt convert "$DATA/run/epoch-40.pt" b.ckpt --codec raw
ckpt diff a.ckpt b.ckpt
