# Root may read everything, unless it gives up what makes it so.
plain() { if [ $(id -u) -eq 0 ]; then setpriv --bounding-set=-dac_override,-dac_read_search,-fowner "$@"; else "$@"; fi; }
# Below a folder links are followed, each folder once; what could not be looked into is named, and no clean bill is given.
mkdir -p run/sub other && printf 'cos\nsystem\n(S"true"\ntR.' > other/x.pkl && printf '\200\002}.' > run/a.pkl && printf '\200\002}.' > run/sub/b.pkl
ln -s .. run/sub/up && ckpt scan run; echo "exit $?"
ln -s gone.pkl run/late.pkl && ckpt scan run; echo "exit $?"
ckpt scan --jsonl run /nope | cut -c1-120
ln -s ../../other run/sub/linked && ckpt scan run; echo "exit $?"
rm -r run/sub run/late.pkl && mkdir run/closed && chmod 000 run/closed
plain ckpt scan run; echo "exit $?"
cp other/x.pkl run && plain ckpt scan run; echo "exit $?"
chmod 755 run/closed
