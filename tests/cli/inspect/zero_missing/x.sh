cp -r $DATA/zero/zero1_2 run && chmod -R u+w run && rm run/global_step2/*rank_1*
ckpt inspect run || echo $?
cp $DATA/zero/zero1_2/global_step2/* run/global_step2 && chmod -R u+w run && truncate -s 3000 run/global_step2/*rank_1*
ckpt inspect run || echo $?
echo nowhere > run/latest
ckpt inspect run
