# What is torn, empty or foreign is left out and named; where nothing is left, the exit code is not that of an empty folder.
mkdir run && cp $DATA/run/epoch-10.pt $DATA/run/epoch-20.pt run && : > run/epoch-50.pt
head -c 5000 $DATA/run/epoch-30.pt > run/epoch-30.pt && echo '<html>' > run/epoch-40.pt
ckpt ls --valid --indices run; echo "exit $?"
ckpt ls --valid --full --indices -j1 run 2> /dev/null; ckpt ls -0 --valid run 2> /dev/null | tr '\0' '\n'
rm run/epoch-10.pt run/epoch-20.pt && ckpt ls --valid run; echo "exit $?"
rm run/* && ckpt ls --valid run; echo "exit $?"
