mkdir run && cd run && touch epoch=3.ckpt epoch=4.ckpt && ln -s epoch=4.ckpt last.ckpt && ln -s last.ckpt latest && ckpt ls --indices && ckpt ls --json | grep -A3 alias
