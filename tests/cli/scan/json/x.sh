printf '\200\002}X\001\000\000\000wccollections\nOrderedDict\n)Rs.' > a.pkl
ckpt scan --json a.pkl
ckpt scan --jsonl a.pkl
