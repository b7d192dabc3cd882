mkdir run && touch run/epoch-1.pt run/epoch-2.pt && ckpt last run --index && ckpt last run --next
