mkdir run && touch run/epoch-5.pt run/epoch-15.pt && ckpt last run --at 10 && ckpt last run --at 15
