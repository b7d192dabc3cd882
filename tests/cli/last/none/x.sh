mkdir run && touch run/epoch-5.pt && ckpt last run --prior-to 5
