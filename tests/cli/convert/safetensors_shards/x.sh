# A folder of shards with an index: read as one, written as huggingface_hub cuts it, checked against its index.
ckpt convert $DATA/safetensors/hub_sharded all.pt; echo "exit $?"
ckpt convert $DATA/safetensors/hub_sharded out --to safetensors --shard-size 6000; echo "exit $?"
diff -r -x '*.json' $DATA/safetensors/hub_sharded out && sort out/*.json | tr -d , > ours; sort $DATA/safetensors/hub_sharded/*.json | tr -d , | cmp - ours && echo same
mkdir again; ckpt convert out/model.safetensors.index.json --overwrite again/all.pt && cmp all.pt again/all.pt && echo same
ckpt convert all.pt small --to safetensors --shard-size 1GB && ls small && ckpt convert small small.pt; echo "exit $?"
ckpt convert all.pt small --to safetensors --shard-size 1GB; echo "exit $?"
broken() { rm -rf bad; cp -r $DATA/safetensors/hub_sharded bad; chmod -R u+w bad; }
broken; rm bad/model-00002-of-00004.safetensors; ckpt inspect bad; echo "exit $?"
broken; sed -i 's/lm_head.weight": "model-00004/lm_head.weight": "model-00003/' bad/*.json; ckpt inspect bad; echo "exit $?"
broken; sed -i '/layers.3.mlp/d' bad/*.json; ckpt inspect bad; echo "exit $?"
broken; sed -i 's#"model-00001-of-00004.safetensors"#"../secret.safetensors"#' bad/*.json; ckpt inspect bad; echo "exit $?"
broken; mv bad/model-00001-of-00004.safetensors elsewhere; ln -s ../elsewhere bad/model-00001-of-00004.safetensors; ckpt inspect bad; echo "exit $?"
broken; sed -i 's/18480/18481/' bad/*.json; ckpt inspect bad > /dev/null; echo "exit $?"
broken; printf '{"weight_map": [' > bad/model.safetensors.index.json; ckpt inspect bad; echo "exit $?"
# A cache keeps the bytes in one place, and links to them by name.
broken; mkdir blobs snapshot; for file in bad/*; do mv $file blobs/; ln -s ../blobs/$(basename $file) snapshot/$(basename $file); done; ckpt convert snapshot --overwrite again/all.pt && cmp all.pt again/all.pt && echo same
# The same of torch's own files.
(cd $DATA/safetensors && ckpt inspect hub_bin | head -3)
ckpt convert $DATA/safetensors/hub_bin bin --to safetensors --shard-size 6000 && diff -x '*.json' -r $DATA/safetensors/hub_sharded bin && echo same
(cd $DATA/safetensors && ckpt verify --full hub_bin/pytorch_model.bin.index.json); echo "exit $?"
