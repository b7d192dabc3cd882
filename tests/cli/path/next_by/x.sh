# The axis asked for goes on by its own step.
mkdir run && for n in 1 2 3; do : > run/epoch=$n-step=$((n * 250)).ckpt; done
ckpt path run --next; ckpt path run --next --by step
