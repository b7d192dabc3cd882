cp -r $DATA/run . && head -c 6000 run/epoch-30.pt >t && mv t run/epoch-30.pt && : >run/epoch-50.pt
ckpt ls run | sed 's/  [0-9a-z ]* ago/  AGO/; s/  just now/  AGO/'
