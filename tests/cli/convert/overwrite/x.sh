cp $DATA/run/epoch-10.pt a.pt && echo old > b.pt && ckpt convert a.pt b.pt --overwrite && cmp a.pt b.pt
