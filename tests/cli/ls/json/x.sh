mkdir run && printf x > run/epoch-3.pt && touch -d @86400 run/epoch-3.pt && printf y > run/epoch-4.pt.tmp && ckpt ls run --json
