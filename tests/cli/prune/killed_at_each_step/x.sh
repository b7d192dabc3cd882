# Killed at each rename and each removal, by SIGKILL: what passes as valid is whole, nothing that stays or goes to the trash is lost, the next run ends the work.
if [ -n "$SANITIZED" ] || ! strace -o /dev/null true 2> /dev/null || (strace -o /dev/null -e inject=write:signal=KILL:when=1 echo > /dev/null; exit $?) 2> /dev/null; then
    echo "strace cannot kill here, or the program is a sanitized one" >&2; exit 77
fi
mkdir start && for n in 1 2; do cp -r $DATA/safetensors/hub_sharded start/checkpoint-$n; cp $DATA/run/epoch-10.pt start/checkpoint-$n/optimizer.pt
for shard in 0 1 2; do cp $DATA/run/epoch-10.pt start/checkpoint_${n}_${n}00-model_part-0-shard$shard.pt; done; cp $DATA/run/epoch-20.pt start/epoch=$n.ckpt; echo $n > start/epoch=$n.yaml; done
find start -exec touch -d '2026-01-02 10:00' {} +
cat > kill.py <<'PY'
import json, pathlib, shutil, subprocess
def tree(top): return {str(p.relative_to(top)): p.read_bytes() for p in pathlib.Path(top).rglob('*') if p.is_file()}
def unit(name): return name.split('/')[0].split('model_part')[0].removesuffix('.ckpt').removesuffix('.yaml')
start = tree('start')
newest = {name: data for name, data in start.items() if '2' in unit(name)}
def valid(top):
    found = subprocess.run(['ckpt', 'ls', '--valid', '--full', '--json', top], capture_output=True, text=True)
    return [c['name'] for c in json.loads(found.stdout or '{"checkpoints": []}')['checkpoints']]
def loop(calls, *options, stripped=False):
    at = 0
    while True:
        at += 1
        shutil.rmtree('run', ignore_errors=True), shutil.rmtree('trash', ignore_errors=True), shutil.copytree('start', 'run')
        killed = subprocess.run(['strace', '-f', '-o', '/dev/null', '-e', f'inject={calls}:signal=KILL:when={at}', 'ckpt', 'prune', 'run', '-l', '1', '-y', '-q', *options], capture_output=True)
        for top in ['run', 'trash']:
            there = tree(top) if pathlib.Path(top).exists() else {}
            for name in valid(top):
                lost = [n for n in start if unit(n) == unit(name) and n not in there and not stripped and not (top == 'trash' and n.endswith('.yaml'))]
                if lost: print(calls, at, f'{top}/{name} is valid without', lost)
        here = tree('run')
        if any(here.get(name) != data for name, data in newest.items()): print(calls, at, 'the newest is not what it was')
        kept = {**here, **(tree('trash') if pathlib.Path('trash').exists() else {})}
        if 'trash' in options and not set(start.values()) <= set(kept.values()): print(calls, at, 'something is lost')
        rest = subprocess.run(['ckpt', 'prune', 'run', '-l', '1', '--remove-tmp', '--min-age', '0', '-y', '-q', *options], capture_output=True, text=True)
        left = tree('run')
        if rest.returncode or (not stripped and left != newest) or [n for n in left if 'tmp' in n] or (stripped and 'checkpoint-1/optimizer.pt' in left): print(calls, at, 'the next run does not end it:', rest.stderr, sorted(left))
        if killed.returncode in (0, 7): break
    print(calls, *options, 'killed often' if at > 3 else 'killed once or twice')
loop('rename,renameat,renameat2')
loop('unlink,unlinkat,rmdir')
loop('rename,renameat,renameat2', '--trash', 'trash')
loop('rename,renameat,renameat2', '--strip', 'optimizer', stripped=True)
loop('unlink,unlinkat,rmdir', '--strip', 'optimizer', stripped=True)
PY
python3 kill.py
