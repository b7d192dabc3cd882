# A pickle in a file of another kind: programs that know where it begins load it.
{ printf '\211PNG\r\n\032\n'; head -c 50 /dev/zero; printf '\200\002cos\nsystem\nX\004\000\000\000trueq\000\205R.'; } > k.png
printf '\377\377\200\002cos\nsystem\nX\004\000\000\000trueq\000\205R.' > j.bin
printf '\211PNG\r\n\032\nnothing in it' > plain.png
ckpt scan k.png; echo "exit $?"
ckpt scan j.bin --json | grep -e kind -e verdict; echo "exit $?"
ckpt scan plain.png; echo "exit $?"
mkdir folder && mv *.png folder && ckpt scan folder; echo "exit $?"
