# Each broken or hostile state has its own message; what pyhopper loads is read with a warning; nothing is run.
here=$PWD
[ -n "$SANITIZED" ] || ulimit -v 3000000
cd "$DATA/pyhopper/bad"
for file in *.ckpt; do
    timeout 20 ckpt inspect "$file" >/dev/null 2>"$here/said"
    printf '%s: exit %d%s\n' "$file" $? "$(sed 's/^ckpt: /, /' "$here/said" | tr -d '\n')"
done
