# Links and pointer files with what they lead to; those that disagree with the names, and files that disagree with theirs.
mkdir run && for n in 10 20 30; do cp $DATA/run/epoch-$n.pt run/model_epoch=$n.pt; done && cp $DATA/run/epoch-10.pt run/model_epoch=25.pt
ln -s model_epoch=20.pt run/last.pt && cp $DATA/run/epoch-10.pt run/best.pt && touch -d '2026-01-02 10:00' run/*
echo model_epoch=30.pt > run/latest && echo runs/x/model_epoch=7.pt > run/last_checkpoint
ckpt ls run | sed 's/ *[0-9]* [a-z]* ago / AGO /; s/model, .*other/.../'
ckpt ls run --json | sed -n '/"pointers"/,$p'
ckpt ls run --json -l | grep -A3 -e '"inside"' | tr -d '\n -'; echo
