# What does not belong together, or has no history.
cd "$DATA"
no() { ckpt merge "$@" -o "$OLDPWD/no.ckpt" 2>&1; echo "exit $?"; }
no blackit/0.3.3-sine blackit/0.3.3-gaps
no blackit/0.3.3-sine blackit/0.3.3-stale
no blackit/0.3.3-sine blackit/0.3.3-torn_after_1
no blackit/0.3.3-sine pyhopper/nan_min.ckpt
no pyhopper/nan_min.ckpt pyhopper/custom.ckpt
no pyhopper/v1.1_topk.ckpt pyhopper/custom.ckpt --direction max
no pyhopper/nan_min.ckpt pyhopper/bad/uneven_history.ckpt
no pyhopper/nan_min.ckpt run/epoch-40.pt
no pyhopper/nan_min.ckpt
no pyhopper/nan_min.ckpt pyhopper/nan_min.ckpt --direction up
ls "$OLDPWD"
