# The same file twice, by whatever name: the second would replace the first.
ckpt extract $DATA/run/epoch-40.pt --model-only -o m.pt --rest ./m.pt --overwrite; echo $?
mkdir d && ln -s d e
ckpt extract $DATA/run/epoch-40.pt --model-only -o d/m.pt --rest e/m.pt; echo $?
# A rest that may not be written is found before anything is.
touch rest.pt
ckpt extract $DATA/run/epoch-40.pt --model-only -o m.pt --rest rest.pt; echo $?
ls -A . d
