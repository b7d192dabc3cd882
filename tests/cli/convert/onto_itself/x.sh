cp $DATA/run/epoch-10.pt a.pt && ln a.pt b.pt && ckpt convert a.pt b.pt --overwrite; code=$?; cmp a.pt $DATA/run/epoch-10.pt && exit $code
