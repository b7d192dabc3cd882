cp $DATA/run/epoch-10.pt a.pt && echo old > b.pt && ckpt convert a.pt b.pt; code=$?; cat b.pt; exit $code
