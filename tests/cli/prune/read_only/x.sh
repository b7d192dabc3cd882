# What cannot be removed is named, each by itself; nothing is half gone.
user="" && [ "$(id -u)" = 0 ] && user="setpriv --reuid 65534 --regid 65534 --clear-groups"
chmod 755 . && mkdir run && for n in 1 2 3; do cp -r $DATA/safetensors/hub_sharded run/checkpoint-$n; done && cp $DATA/run/epoch-[12]0.pt run && find run -exec touch -d '2026-01-02 10:00' {} +
chmod -R a+rX run && chmod a-w run
$user ckpt formats > /dev/null 2>&1 || { echo "no other user can be had here" >&2; exit 77; }
$user ckpt prune run -l 1 --yes; echo "exit $?"
$user ckpt prune run -l 1 --strip optimizer --yes -q | tail -1
$user ckpt prune run -l 1 --trash run/trash --yes -q | tail -1; chmod u+w run; ls -A run
# A folder that cannot be read is not taken for an empty one, and its neighbours are looked at.
mkdir -p tree/a tree/b && cp $DATA/run/epoch-[12]0.pt tree/b && chmod 000 tree/a && find tree/b -type f -exec touch -d '2026-01-02 10:00' {} + && chmod a+rX tree tree/b
$user ckpt ls -r tree --indices; echo "exit $?"
$user ckpt prune -r tree -l 1 -n; echo "exit $?"
$user ckpt prune tree/a -l 1 -n; echo "exit $?"; chmod 755 tree/a
