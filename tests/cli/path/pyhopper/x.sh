# As pyhopper numbers its runs: the next is the first free number, gaps included.
cp -r "$DATA/pyhopper/runs" runs
ckpt ls runs --indices
ckpt last runs
ckpt path runs --next
cp runs/pyhopper_run_00000.ckpt runs/pyhopper_run_00002.ckpt
ckpt path runs --next
rm runs/pyhopper_run_00000.ckpt
ckpt path runs --next
