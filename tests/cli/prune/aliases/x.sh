# What links lead to stays, and so does what calls itself the last.
cp -r $DATA/run . && cp run/epoch-50.pt run/last.pt && ln -s epoch-20.pt run/best.pt && touch -d '2026-01-02 10:00' run/*.pt
ckpt prune run --keep-last 1 --yes; echo "exit $?"
ls run
