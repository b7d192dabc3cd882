# One search after another; the same one twice is one; the best that stands in a history only; by way of another layout.
cd "$DATA/pyhopper"
ckpt merge runs/*.ckpt -o "$OLDPWD/joined.ckpt" && ckpt inspect "$OLDPWD/joined.ckpt" | sed -n 2,8p
ckpt merge nan_min.ckpt nan_min.ckpt -o "$OLDPWD/twice.ckpt" && ckpt get "$OLDPWD/twice.ckpt" history/log_f > "$OLDPWD/twice" && ckpt get nan_min.ckpt history/log_f | cmp - "$OLDPWD/twice" && echo "twice is once"
ckpt merge bowl_max.stale.ckpt runs/pyhopper_run_00000.ckpt --direction max -o "$OLDPWD/stale.h5" && ckpt inspect "$OLDPWD/stale.h5" --json | grep -o '"best_f":[^,]*'
