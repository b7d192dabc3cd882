ckpt extract $DATA/run/epoch-40.pt --select epoch -o a.pt --rest b.pt --max-output 4KiB || echo $?
ls
