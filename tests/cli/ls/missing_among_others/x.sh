cp -r $DATA/run . && ckpt ls -l nowhere run 2>err | tail -n 1; ckpt ls --indices nowhere run; echo $?; cat err
