mkdir run && touch run/epoch-10.pt run/epoch-20.pt && ckpt path run --next
