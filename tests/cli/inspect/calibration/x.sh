# What a calibration came to, of every kind of saving folder.
cd "$DATA/blackit"
for folder in 0.3.3-sine 0.3.3-picky 0.3.3-sqlite 0.1.1-sine 0.2.1-sine; do
    ckpt inspect $folder --depth 1 | head -6
done
ckpt get 0.3.3-sine random_generator_state/state/state
ckpt get 0.3.3-gaps real_data --json | tr -d ' \n'; echo
ckpt inspect --json 0.3.3-sine | python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin)["calibration"]))'
