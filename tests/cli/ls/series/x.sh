# Several series in one folder: grouped in the table, and one of them alone.
mkdir run && for n in 1 2 3; do : > run/model_epoch=$n.ckpt; done && : > run/ema_epoch=1.ckpt && : > run/ema_epoch=4.ckpt
ckpt ls run --indices | tr '\n' ' '; ckpt ls run --series 'ema_*' --indices | tr '\n' ' '; echo
ckpt last run; ckpt last run --series 'ema*'; ckpt path run 1 --series 'ema*'; ckpt path run --next --series 'ema*'
ckpt ls run --series 'none*'; echo "exit $?"
