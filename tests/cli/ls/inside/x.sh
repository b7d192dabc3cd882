# The epoch or step inside against the one of the name: at the top, where MMEngine, fairseq and DeepSpeed have it, in the file of a Trainer. One more or less is no difference, and -1 is none.
mkdir run && python3 - <<'PY'
import pickle
for name, state in {'epoch=3-step=30.ckpt': {'epoch': 3, 'global_step': 31}, 'epoch=4.ckpt': {'meta': {'epoch': 9, 'iter': 5}}, 'epoch=5.ckpt': {'extra_state': {'train_iterator': {'epoch': 7}}},
                    'epoch=6.ckpt': {'epoch': -1, 'model': {}}, 'epoch=7-step=70.ckpt': {'global_steps': 75, 'epoch': 7}, 'epoch=8.ckpt': {'epoch': 'eight'}, 'epoch=9.ckpt': [9]}.items():
    pickle.dump(state, open('run/' + name, 'wb'), 2)
PY
cp -r $DATA/safetensors/hub_sharded run/checkpoint-500 && echo '{"epoch": 1.5, "global_step": 400}' > run/checkpoint-500/trainer_state.json
cp -r $DATA/safetensors/hub_sharded run/checkpoint-600 && echo '{"global_step": 600, ' > run/checkpoint-600/trainer_state.json
ckpt ls run -l --json | python3 -c "import json, sys; [print(one['name'], one.get('inside'), one.get('disagrees')) for one in json.load(sys.stdin)['checkpoints']]"
