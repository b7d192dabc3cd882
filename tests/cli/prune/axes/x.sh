# Epochs and steps are not compared; a number that nothing has is refused; the number of a best file says nothing of its age.
mkdir run && for n in epoch=1 epoch=2 epoch=3-step=300 step=400; do cp $DATA/run/epoch-10.pt run/$n.ckpt; done && touch -d '2026-01-02 10:00' run/*
ckpt prune run -l 1 -n; ckpt prune run -l 1 --by step -n
ckpt prune run -l 1 --by stpe -n; echo "exit $?"
mkdir best && for n in 3.50 2.25 1.75; do cp $DATA/run/epoch-10.pt best/checkpoint.best_loss_$n.pt; done && touch -d '2026-01-02 10:00' best/*
ckpt prune best -l 1 -n; ckpt prune best --keep-best 1 --metric loss -n
