mkdir run && touch run/pyhopper_run_00000.ckpt run/pyhopper_run_00002.ckpt && ckpt path run --next
