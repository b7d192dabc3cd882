cd "$DATA/run"
ckpt get epoch-40.pt 'model/encoder.weight[0:3,:]'
ckpt get epoch-40.pt 'model/encoder.weight[-1]'
ckpt get epoch-40.pt 'log/train_loss[-3:]'
ckpt get epoch-40.pt 'log/train_loss[0]'
ckpt get epoch-40.pt 'model/encoder.weight[40]'
echo $?
ckpt get epoch-40.pt 'model/encoder.weight[0,0,0]'
echo $?
ckpt get epoch-40.pt 'model/encoder.weight[x]'
echo $?
ckpt get epoch-40.pt 'epoch[0]'
