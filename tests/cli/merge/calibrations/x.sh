# Rows, batches and series one behind the other, as a folder of either kind.
ckpt merge "$DATA/blackit/0.3.3-sine" "$DATA/blackit/0.3.3-sine" -o joined && ckpt verify joined && ckpt inspect joined | sed 1,1d | head -n 8
ckpt get joined batch_num_samp
ckpt merge joined "$DATA/blackit/0.3.3-sqlite" -o database --to blackit-sqlite && ckpt ls database --indices
