# A copy that calls itself the last is verified as well; a link to a checkpoint beside it is that one.
mkdir light alone empty && cp "$DATA/run/epoch-10.pt" light/epoch=1.ckpt && ln -s epoch=1.ckpt light/best.ckpt
head -c 3000 "$DATA/run/epoch-10.pt" > light/last.ckpt && : > alone/last.ckpt && echo text > empty/notes.txt
ckpt verify light | grep -v lost; ckpt last --valid light
ckpt verify alone; echo "exit $?"
ckpt verify empty; echo "exit $?"
ln -s epoch=9.ckpt alone/best.ckpt
ckpt verify alone; echo "exit $?"
