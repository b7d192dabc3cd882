mkdir run && touch run/epoch=3-step=400.ckpt run/epoch=4-step=300.ckpt && ckpt last run && ckpt last run --by step
