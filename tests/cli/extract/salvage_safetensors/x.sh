# A download that was cut: the tensors that are all there.
head -c 600 "$DATA/safetensors/dtypes.safetensors" > short.safetensors
size=$(wc -c < "$DATA/safetensors/dtypes.safetensors")
head -c $((size - 30)) "$DATA/safetensors/dtypes.safetensors" > torn.safetensors
ckpt verify torn.safetensors; echo "exit $?"
ckpt extract --salvage torn.safetensors -o whole.safetensors; echo "exit $?"
ckpt verify whole.safetensors
ckpt extract --salvage short.safetensors -o none.safetensors; echo "exit $?"
ls
