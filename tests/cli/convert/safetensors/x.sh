# Tensors alone are written as they are; what else there is is listed and refused, or kept on demand.
ckpt convert $DATA/run/epoch-40.pt a.safetensors 2>&1; echo "exit $?"
ls
ckpt extract $DATA/run/epoch-40.pt --model-only -o m.safetensors; echo "exit $?"
ckpt inspect m.safetensors
ckpt convert --metadata $DATA/run/epoch-40.pt a.safetensors && ckpt convert a.safetensors epoch-40.pt
ckpt inspect --json --digest $DATA/run/epoch-40.pt | grep -v "\"file\"" > theirs; ckpt inspect --json --digest epoch-40.pt | grep -v "\"file\"" | diff theirs - && echo same
ckpt convert --allow-loss --overwrite $DATA/run/epoch-40.pt a.safetensors 2>errors; echo "exit $?"; wc -l < errors
# The same file again, whatever order its header was in.
for name in dtypes names order shapes small_floats torch_f4 metadata_one metadata_empty empty pad_3; do
    ckpt convert --overwrite $DATA/safetensors/$name.safetensors again.safetensors && cmp $DATA/safetensors/$name.safetensors again.safetensors && echo $name
done
# Ties are aliases in the metadata, and come back.
ckpt convert $DATA/safetensors/tied_save_model.safetensors tied.pt; ckpt inspect tied.pt
ckpt convert tied.pt tied.safetensors; head -c 200 tied.safetensors | tail -c +9; echo
# Options of other layouts.
ckpt convert --metadata tied.pt tied.h5; echo "exit $?"
ckpt convert --shard-size 1KB tied.pt tied.h5; echo "exit $?"
ckpt convert --shard-size lots tied.pt tied.d --to safetensors; echo "exit $?"
ckpt convert --compress zstd tied.pt tied.st --to safetensors; echo "exit $?"
