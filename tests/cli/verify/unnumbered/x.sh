# What has no number is verified with the folder: a downloaded model, a set of shards, an empty file; no notes, no HTML.
mkdir model && cp "$DATA"/safetensors/dtypes.safetensors model/model.safetensors && cp "$DATA"/safetensors/hub_bin/* model/ && chmod -R u+w model
echo '# a model' > model/README.md && echo '<html>' > model/page.pt && : > model/torn.pt
ckpt verify model; echo "exit $?"
rm model/torn.pt model/pytorch_model-00002-of-*.bin
ckpt verify model; echo "exit $?"
rm model/pytorch_model.bin.index.json
ckpt verify model; echo "exit $?"
