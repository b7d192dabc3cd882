ckpt extract $DATA/run/epoch-40.pt --select 'model/**' --drop '**/*bias' -o m.pt && ckpt inspect --tensors m.pt
