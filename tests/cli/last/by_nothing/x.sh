# An axis that none of them has is no honest "none": a script would start the run anew.
cp -r $DATA/run .
ckpt last run --by banana; echo "exit $?"
ckpt path run 3 --by banana; echo "exit $?"
ckpt path run --next --by banana; echo "exit $?"
mkdir empty; ckpt last empty --by banana; echo "exit $?"
