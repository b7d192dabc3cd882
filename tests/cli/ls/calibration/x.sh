# A saving folder is one checkpoint; its index is the number of batches.
cp -r "$DATA/blackit/0.3.3-sine" "$DATA/blackit/0.3.3-sqlite" . && touch -d '3 days ago' 0.3.3-sine/* 0.3.3-sqlite/*
ckpt ls 0.3.3-sine 0.3.3-sqlite
ckpt ls 0.3.3-sine --indices
