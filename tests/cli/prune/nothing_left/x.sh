mkdir run && : > run/epoch-1.pt && head -c 5000 $DATA/run/epoch-40.pt > run/epoch-2.pt && touch -d '2026-01-02 10:00' run/*
ckpt prune run --keep-last 1 --remove-invalid --yes; echo "exit $?"
ls run
ckpt prune run --keep-last 1 --remove-invalid --unsafe-allow-remove-all --yes -q; echo "exit $?"
ls run
