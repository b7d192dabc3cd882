plain() { if [ $(id -u) -eq 0 ]; then setpriv --bounding-set=-dac_override,-dac_read_search,-fowner "$@"; else "$@"; fi; }
cp $DATA/run/epoch-10.pt x.pt && chmod 000 x.pt
plain ckpt inspect x.pt
