mkdir run && chmod 000 run
if [ $(id -u) -eq 0 ]; then echo 'root may read everything' >&2; exit 77; fi
ckpt last run
