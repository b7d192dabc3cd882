# The counter of a name that was taken: of equal epochs the last to be made.
mkdir run && : > run/epoch=1.ckpt && : > run/epoch=2.ckpt && : > run/epoch=2-v1.ckpt && : > run/epoch=2-v2.ckpt && : > run/epoch=2-v10.ckpt
ckpt last run; ckpt last run --prior-to 2; ckpt last run --index
ckpt ls -0 run | tr '\0' '\n'
