ckpt extract $DATA/torch/blocks.pt --model-only -o model.pt && ckpt inspect model.pt
