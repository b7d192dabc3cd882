cd "$DATA/run"
ckpt plot epoch-10.pt log/train_loss log/train_acc --data | head -n 4
ckpt plot epoch-40.pt model/norm.weight --bars 4 --data
ckpt plot epoch-40.pt nothing --data
echo $?
ckpt plot epoch-40.pt args --data
echo $?
ckpt plot epoch-40.pt log -o picture.txt
