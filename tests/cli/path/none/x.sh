mkdir run && touch run/epoch-1.pt && ckpt path run 7
