# Saving folders in a folder, each with its number of batches; one that is caught in a save does not stop the others.
mkdir all && cp -r "$DATA/blackit/0.3.3-sine" "$DATA/blackit/0.3.3-gaps" "$DATA/blackit/0.3.3-torn_by_pickling" "$DATA/blackit/0.3.3-sqlite" all && mv all/0.3.3-sine all/sine_7
find all -exec touch -d '3 days ago' {} +
ckpt ls all
ckpt last all && ckpt last all --index && ckpt last all --prior-to 4; echo "exit $?"
ckpt path all 2 && ckpt path all --next && ckpt path all/sine_7 --next && ckpt last all/sine_7 --next
ckpt verify all
