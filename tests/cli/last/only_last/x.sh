mkdir run && touch run/last.ckpt run/best.pt
ckpt last run
ckpt last run --index; echo $?
ckpt last run --prior-to 5; echo $?
touch run/last-v1.ckpt && ckpt last run; echo $?
touch run/epoch=3.ckpt && ckpt last run
