# For folders and rules made by chance: the newest valid checkpoint of each series survives, what goes is exactly what is not kept, a second run removes nothing.
cat > chance.py <<'PY'
import json, os, pathlib, random, shutil, subprocess, sys
data = pathlib.Path(os.environ['DATA'])
whole = (data / 'run/epoch-10.pt').read_bytes()
run = pathlib.Path('run')
def fill(chance):
    shutil.rmtree(run, ignore_errors=True), run.mkdir()
    names = []
    for pattern in chance.sample(['epoch-{}.pt', 'epoch={}-val_loss=0.{}.ckpt', 'step={}.ckpt', 'G_{}.pth', 'checkpoint-{}', 'checkpoint_{}_{}-model_part-0-shard{{}}.pt', 'sub/model_{}.pt', 'best_{}_epoch_{}.pth', 'x_{}_nan.h5'], chance.randint(1, 4)):
        for n in chance.sample(range(40), chance.randint(1, 8)):
            name = pattern.format(n, chance.randint(10, 99))
            for part in [name.format(s) for s in range(3)] if 'shard' in name else [name]:
                path = run / part
                path.parent.mkdir(exist_ok=True)
                kind = chance.random()
                if name.startswith('checkpoint-'):
                    shutil.copytree(data / 'safetensors/hub_sharded', path)
                    if kind < .2: next(path.glob('*-of-*')).unlink()
                    elif kind < .3: (path / 'optimizer.pt').touch()
                else: path.write_bytes(whole if kind > .25 else b'' if kind < .1 else whole[:5000] if kind < .2 else b'a text')
                if kind > .9 and not path.is_dir(): path.with_suffix('.yaml').write_text('x')
            names.append(name.format(0))
    for alias in ['last.ckpt', 'best.pt', 'latest']:
        if chance.random() < .3: (run / alias).symlink_to(chance.choice(names))
    if chance.random() < .3: (run / 'last_checkpoint').write_text(chance.choice(names + ['gone.pt']))
    if chance.random() < .3: (run / 'epoch-7.pt.tmp').touch()
    for path in [p for p in run.rglob('*') if p.is_file() and not p.is_symlink()]:
        time = 1767348000 + chance.choice([0, 3600, 86400, 7 * 86400]) * chance.randint(0, 5)
        os.utime(path, (time, time))
def rules(chance):
    every = [['-l', str(chance.randint(0, 3))], ['--keep-first'], ['--keep-every', str(chance.randint(1, 9))], ['--keep-every', '7', '--closest'], ['--keep-within', chance.choice(['1h', '2d', '3w'])],
             ['--keep-hourly', '2'], ['--keep-daily', '2'], ['--keep-weekly', '1'], ['--keep', '3,10,20'], ['--keep-glob', chance.choice(['*1*', 'sub/*', 'G_*'])], ['--keep-best', '2', '--metric', chance.choice(['val_loss', 'epoch'])]]
    chosen = sum(chance.sample(every, chance.randint(1, 3)), [])
    return chosen + [o for o in ['--remove-invalid', '--remove-tmp', '-r', '--by=time', '--by=epoch'] if chance.random() < .15]
def files(): return {str(p) for p in run.rglob('*') if (p.is_file() or p.is_symlink())}
def prune(options):
    done = subprocess.run(['ckpt', 'prune', 'run', '--min-age', '0', '--json', '-y', *options], capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout) if done.stdout else None, done.stderr
counts = {}
for seed in range(int(sys.argv[1]), int(sys.argv[2])):
    chance = random.Random(seed)
    fill(chance)
    options = rules(chance)
    before = files()
    def fail(what): print('seed', seed, options, what)
    code, plan, errors = prune(options)
    counts[code] = counts.get(code, 0) + 1
    if code in (1, 2, 5):  # nothing there, a rule given twice, refused
        if files() != before: fail('refused, and yet removed')
        continue
    if code != 0 or plan['failed'] or not plan['done'] and (plan['remove'] or plan['leftovers']): fail((code, errors))
    gone = {f for one in plan['plan'] if one['action'] == 'remove' for top in one['files'] for f in before if f == top or f.startswith(top + '/')} | {f for f in before for top in plan['leftovers'] if f == top or f.startswith(top + '/')}
    if before - files() != gone or files() - before: fail(('not the complement', before - files() ^ gone))
    series = {}
    for one in plan['plan']:
        if one['state'] == 'ok': series.setdefault((os.path.dirname(one['path']), one['series'], '--by=time' not in options and one['axis']), []).append(one)
    for key, ones in series.items():
        if all(one['action'] == 'remove' for one in ones): fail((key, 'has no valid one left'))
        numbered = [one for one in ones if one['index'] is not None]
        if '--by=time' not in options and '--by=epoch' not in options and len(numbered) == len(ones) and max(ones, key=lambda one: one['index'])['action'] == 'remove': fail((key, 'the newest is gone'))
    for one in plan['plan']:
        if one['action'] == 'remove' and one['state'] != 'ok' and '--remove-invalid' not in options: fail(('damaged and gone', one['path']))
        if one['action'] == 'remove' and one['state'] == 'unreadable': fail(('foreign and gone', one['path']))
    for link in [p for p in run.iterdir() if p.is_symlink()]:
        if not link.exists(): fail((link, 'leads nowhere'))
    after, plan_before = files(), plan['plan']
    code, plan, errors = prune(options)
    if code == 1 and not [one for one in plan_before if one['action'] == 'keep']: continue
    if files() != after or code != 0 or plan['remove'] or plan['leftovers']: fail(('the second run', code, errors, after - files()))
print(sum(counts.values()), 'folders;', 'some pruned' if counts.get(0, 0) > 20 else counts)
PY
python3 chance.py 0 60
