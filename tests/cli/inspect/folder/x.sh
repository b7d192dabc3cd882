mkdir x.pt && touch x.pt/readme && ckpt inspect x.pt
