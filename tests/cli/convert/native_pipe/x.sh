ckpt convert $DATA/run/epoch-40.pt - --to native > a.ckpt && ckpt convert $DATA/run/epoch-40.pt b.ckpt && cmp a.ckpt b.ckpt && ckpt verify --full a.ckpt
