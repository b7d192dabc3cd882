# A trainer fills a folder file by file: while the newest has not what the others have, the one before stays, whatever the limit is.
for n in 1 2 3; do mkdir -p run/checkpoint-$n && cp $DATA/safetensors/hub_sharded/* run/checkpoint-$n && cp $DATA/run/epoch-10.pt run/checkpoint-$n/optimizer.pt && echo '{}' > run/checkpoint-$n/trainer_state.json; done
find run -exec touch -d '2026-01-02 10:00' {} +
mkdir run/checkpoint-4 && cp $DATA/safetensors/hub_sharded/* run/checkpoint-4
ckpt prune run -l 1 --remove-invalid --yes; echo "exit $?"; ls run
cp $DATA/run/epoch-10.pt run/checkpoint-4/optimizer.pt && echo '{}' > run/checkpoint-4/trainer_state.json
ckpt prune run -l 1 --yes; echo "exit $?"; ls run
