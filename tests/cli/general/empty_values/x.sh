# An option with an empty value is a variable that was not set: `--trash "$bin"` must not remove for good.
cp -r $DATA/run . && find run -exec touch -d '2026-01-02 10:00' {} +
for option in --trash --keep --keep-glob --series --by --pattern; do ckpt prune run -l 1 $option "" --yes > /dev/null; echo "exit $?"; done
ckpt prune run -l 1 --trash= --yes > /dev/null; echo "exit $?"
ckpt last run --by ""; echo "exit $?"
ls run
