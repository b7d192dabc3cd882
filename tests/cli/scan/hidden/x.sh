# A call in a member with an innocent name, in a bare pickle behind another, and under a name that is computed.
printf '\200\002cos\nsystem\nX\004\000\000\000true\205R.' > bad.pkl
printf '\200\002N.\200\002cposix\nsystem\nX\004\000\000\000true\205R.' > second.bin
printf '\200\004X\011\000\000\000torch.hubX\014\000\000\000os.path.join\223.' > dotted.txt
mkdir runs && mv bad.pkl second.bin dotted.txt runs
printf 'import os\n' > runs/notes.py
ckpt scan runs
