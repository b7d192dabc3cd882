# Counts that do not agree, files that are missing, cut or of the wrong type: each names file and field.
cd "$DATA/blackit"
for folder in 0.3.3-* 0.1.1-sqlite bad/*; do
    ckpt verify "$folder" 2>&1; echo "exit $?"
done
mkdir "$OLDPWD/no_row" && cd "$OLDPWD" && cp "$DATA/blackit/0.3.3-sqlite/checkpoint.sqlite" no_row
python3 - <<'PY'
import sqlite3
base = sqlite3.connect('no_row/checkpoint.sqlite')
base.execute('DELETE FROM checkpoint')
base.commit()
PY
ckpt verify no_row; echo "exit $?"
