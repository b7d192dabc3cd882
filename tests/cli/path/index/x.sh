mkdir run && touch run/epoch-1.pt run/epoch-2.pt && ckpt path run 1
