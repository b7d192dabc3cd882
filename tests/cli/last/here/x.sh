mkdir run && cd run && touch epoch-1.pt epoch-2.pt && ckpt last
