ckpt extract "$DATA/run/epoch-40.pt" --model-only --add-prefix module._orig_mod -o wrapped.pt
ckpt extract wrapped.pt --model-only --strip-prefix -o plain.pt
ckpt diff "$DATA/run/epoch-40.pt" plain.pt --names-only | grep 'only in b'
ckpt extract --strip-prefix wrapped.pt --model-only -o again.pt
ckpt diff plain.pt again.pt
ckpt extract wrapped.pt --model-only --strip-prefix encoder -o none.pt
