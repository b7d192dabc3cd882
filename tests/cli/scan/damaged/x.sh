# What stands before a break runs: 1. A break alone: 4.
printf '\200\002cos\nsystem\nX\004\000\000\000true\205R\377' > payload.pkl
printf '\200\002]K\001aX\377\000\000\000cut' > cut.pkl
ckpt scan payload.pkl
echo "exit $?"
ckpt scan cut.pkl
echo "exit $?"
: > empty.pt
ckpt scan empty.pt
echo "exit $?"
ckpt scan missing.pt
echo "exit $?"
printf 'hello\n' > text.pt
ckpt scan text.pt
echo "exit $?"
