ckpt extract "$DATA/run/epoch-40.pt" --role model -o model.pt
ckpt extract "$DATA/run/epoch-50.pt" --drop model --drop log -o rest.pt
ckpt merge --union model.pt rest.pt -o whole.pt
ckpt diff "$DATA/run/epoch-50.pt" whole.pt --ignore model
ckpt merge --union rest.pt whole.pt -o again.pt
ckpt diff whole.pt again.pt --values-only
cp "$DATA/run/epoch-10.pt" .
ckpt merge --union epoch-10.pt whole.pt -o refused.pt 2>&1 | tail -3
ckpt merge --union "$DATA/run/epoch-10.pt" whole.pt -o last.pt --prefer last
ckpt diff whole.pt last.pt --ignore log --values-only
