mkdir run && touch run/epoch-3.pt run/epoch-10.pt && ckpt ls run -0 | tr '\\000' '|'
