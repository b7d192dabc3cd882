# pyhopper loads and goes on from what `ckpt merge` made of several of its searches, black-it from several of its calibrations.
import contextlib
import gzip
import io
import json
import os
import pathlib
import pickle
import subprocess
import sys
import warnings

from common import FIXTURES, Tally, arguments, run, scratch

if os.environ.get("PYTHONHASHSEED") != "0":  # sets are pickled in hash order, and keys of caches are digests of pickles
    sys.exit(subprocess.call([sys.executable, "-B", *sys.argv], env=dict(os.environ, PYTHONHASHSEED="0")))

options = arguments()
tally = Tally("merge")
if not FIXTURES.is_dir():
    tally.skip("the toy objectives and models of the fixture collection are not beside the repository")
    tally.passed += 1
    tally.finish()
sys.path.insert(0, str(FIXTURES / "continuing"))

import continuing
import numpy as np
import pyhopper
import toymodels
import toysearch
from black_it.calibrator import Calibrator

warnings.simplefilter("ignore")


def state(path):
    with gzip.open(path) as f:
        return pickle.load(f)


def merge(out, *inputs, **more):
    words = [w for k, v in more.items() for w in (f"--{k}", v)]
    return run(options.ckpt, "merge", *inputs, "-o", out, "--overwrite", *words)


def search(case, seed, steps, path, clock=1.7e9):
    pruner = case["pruner"]() if case.get("pruner") else None
    with continuing.fixed(seed, clock), contextlib.redirect_stdout(io.StringIO()):
        made = pyhopper.Search(case["space"]())
        made.run(case["objective"], case["direction"], steps=steps, quiet=True, pruner=pruner, **case.get("run", {}))
        made.save(str(path), pruner)


def finish(objective, candidate):
    result = objective(candidate)
    return list(result)[-1] if hasattr(result, "__next__") else result


def same(a, b):
    return a == b or a != a and b != b


def searches(folder):
    for name, case in toysearch.CASES.items():
        paths = [folder / f"{name}{i}.ckpt" for i in range(3)]
        for i, (path, steps) in enumerate(zip(paths, (9, 12, 6))):
            search(case, 11 + i, steps, path, 1.7e9 + 1000 * i)
        out = folder / "joined.ckpt"
        status, _, err = merge(out, *paths, direction=case["direction"][:3])
        if not tally.check(status == 0, f"{name}: exit {status}: {err[:300]}"):
            continue
        before, after = [state(p) for p in paths], state(out)
        seen, wanted = set(), []
        for one in before:
            keys, h = list(one["cache"]["cache"]), one["history"]
            ended = sorted([(t, "log", i) for i, t in enumerate(h["log_finished_at"])] + [(t, "pruned", i) for i, t in enumerate(h["pruned_finished_at"])]
                           + [(t, "nan", i) for i, t in enumerate(h["nan_finished_at"])])
            of = {(kind, i): keys[at] for at, (_, kind, i) in enumerate(ended)} if len(keys) == len(ended) else {}
            for i, f in enumerate(h["log_f"]):
                key = of.get(("log", i))
                if key is None or key not in seen:
                    wanted.append(f)
                seen.add(key) if key is not None else None
        h = after["history"]
        tally.check(len(h["log_f"]) == len(wanted) and all(map(same, h["log_f"], wanted)), f"{name}: {h['log_f']} is not {wanted}")
        tally.check(all(len(h[f"log_{k}"]) == len(wanted) for k in ("candidate", "types", "finished_at", "best_f", "runtime")), f"{name}: lists of one length")
        tally.check(set(after["cache"]["cache"]) == {k for one in before for k in one["cache"]["cache"]}, f"{name}: keys of the caches")
        better = max if case["direction"].startswith("max") else min
        best = better([one["best_f"] for one in before if one["best_f"] is not None])
        tally.check(after["best_f"] == best and after["run_context"] is None, f"{name}: best {after['best_f']} is not {best}")
        tally.check(h["log_best_f"] == [better(wanted[: i + 1]) for i in range(len(wanted))], f"{name}: best so far {h['log_best_f']}")
        if len(wanted):
            tally.check(finish(case["objective"], after["best_solution"].unwrapped_value) == best, f"{name}: the best candidate gives its result")
        go_on(name, case, out)
        # By way of other layouts.
        status, _, err = merge(folder / "joined.h5", *paths, direction=case["direction"][:3])
        back = folder / "back.ckpt"
        if tally.check(status == 0, f"{name} to .h5: exit {status}: {err[:200]}"):
            status, _, err = run(options.ckpt, "convert", folder / "joined.h5", back, "--to", "pyhopper", "--overwrite")
            tally.check(status == 0, f"{name} back from .h5: {err[:200]}") and go_on(name + " by .h5", case, back)


def go_on(name, case, path):
    """pyhopper loads the state and searches on; candidates that any of the searches had are not evaluated again."""
    pruner = case["pruner"]() if case.get("pruner") else None
    try:
        with continuing.fixed(5, 1.8e9), contextlib.redirect_stdout(io.StringIO()):
            more = pyhopper.Search(case["space"]())
            more.load(str(path), pruner)
            known, cached = len(more.history), set(more._f_cache._cache)
            more.run(case["objective"], case["direction"], steps=10, quiet=True, pruner=pruner, **case.get("run", {}))
        tally.check(cached <= set(more._f_cache._cache) and len(more.history) >= known, f"{name}: goes on")
    except Exception as error:
        tally.check(False, f"{name}: pyhopper does not go on: {type(error).__name__}: {error}")


def fixtures_of_searches(folder):
    """A file caught during a run and the one after it are one search: the second knows all of the first."""
    made = FIXTURES / "pyhopper"
    for midrun in sorted(made.glob("*.midrun.ckpt")):
        name = midrun.name.split(".midrun")[0]
        whole, out = made / f"{name}.ckpt", folder / "one.ckpt"
        if name in ("no_cache", "no_history") or name.startswith("numpy1"):
            continue
        way = toysearch.CASES["loss" if "min" in name else name if name in toysearch.CASES else "bowl"]["direction"][:3]
        way = {"v1.1_old": "max", "v1.1_topk": "max", "topk_early": "max", "nan_min": "min", "loss_min": "min", "bowl_max": "max"}.get(name, way)
        status, _, err = merge(out, midrun, whole, direction=way)
        if not tally.check(status == 0, f"{midrun.name}: exit {status}: {err[:200]}"):
            continue
        a, b = state(whole), state(out)
        tally.check(b["history"]["log_f"] == a["history"]["log_f"] and list(b["cache"]["cache"]) == list(a["cache"]["cache"]) and b["best_f"] == a["best_f"]
                    and len(b["history"]["pruned_types"]) == len(a["history"]["pruned_types"]) and len(b["history"]["nan_types"]) == len(a["history"]["nan_types"]),
                    f"{midrun.name} into {whole.name}: {b['history']['log_f']}")
        tally.check(str(b.get("pruner")) == str(a.get("pruner")), f"{midrun.name}: pruner {b.get('pruner')} is not {a.get('pruner')}")
    # A best that stands in the history alone: the search goes on from it.
    stale = made / "bowl_max.stale.ckpt"
    status, _, err = merge(folder / "one.ckpt", stale, made / "fresh.ckpt", direction="max")
    if tally.check(status == 0, f"stale: exit {status}: {err}"):
        b = state(folder / "one.ckpt")
        best = max(b["history"]["log_f"])
        tally.check(b["best_f"] == best > state(stale)["best_f"] and toysearch.bowl(b["best_solution"].unwrapped_value) == best, "stale: the best of the history")
        go_on("stale", toysearch.CASES["bowl"], folder / "one.ckpt")
    # Choices are wrapped as pyhopper wraps them, with the option's number where an input tells it.
    case = toysearch.CASES["choices"]
    one = state(made / "choices.ckpt")
    worst = one["best_solution"]
    at = one["history"]["log_f"].index(max(one["history"]["log_f"]))
    first = one["history"]["log_candidate"][0]
    one["best_f"], one["best_solution"] = one["history"]["log_f"][0], pyhopper.utils.Candidate(worst.value)
    one["best_solution"].unwrapped_value = first
    with gzip.open(folder / "old.ckpt", "wb") as f:
        pickle.dump(one, f)
    status, _, err = merge(folder / "one.ckpt", folder / "old.ckpt", made / "fresh.ckpt", direction="max")
    if tally.check(status == 0, f"choices: exit {status}: {err}"):
        b = state(folder / "one.ckpt")
        tally.check(pyhopper.utils.unwrap_sample(b["best_solution"].value) == one["history"]["log_candidate"][at], "choices: the candidate in its wrapping")
        go_on("choices from the history", case, folder / "one.ckpt")
    for words, a, b, why in ((("direction",), "fresh.ckpt", "bad/uneven_history.ckpt", "entries"), ((), "bowl_max.ckpt", "loss_min.ckpt", "direction"),
                             ((), "v1.1_old.ckpt", "bowl_max.ckpt", "versions"), ((), "quantile.ckpt", "topk.ckpt", "")):
        status, _, err = merge(folder / "no.ckpt", made / a, made / b, **({"direction": "min"} if words or not why or why == "versions" else {}))
        tally.check(status == 5 and why in err and not (folder / "no.ckpt").exists(), f"{a} and {b}: exit {status}: {err}")


def calibrate(case, seed, batches, folder):
    made = Calibrator(samplers=case["samplers"](), loss_function=case["loss"](), real_data=case["real"](), model=case["model"], parameters_bounds=case["bounds"],
                      parameters_precision=case["precision"], ensemble_size=case["ensemble"], saving_folder=str(folder), random_state=seed, n_jobs=1, verbose=False)
    made.calibrate(batches)
    return made


def calibrations(folder):
    for name in ("sine", "markov", "picky", "one"):
        case = toymodels.CASES[name]
        paths = [folder / f"{name}-{i}" for i in range(3)]
        with contextlib.redirect_stdout(io.StringIO()):
            made = [calibrate(case, 20 + i, batches, path) for i, (path, batches) in enumerate(zip(paths, (3, 2, 4)))]
        for kind, by in (("blackit", ()), ("blackit", ("h5",)), ("blackit-sqlite", ())):
            out = folder / f"joined-{kind}-{name}{len(by)}"
            status, _, err = merge(folder / "joined.h5" if by else out, *paths, **({} if by else {"to": kind}))
            if by and status == 0:
                status, _, err = run(options.ckpt, "convert", folder / "joined.h5", out, "--to", kind, "--overwrite")
            if not tally.check(status == 0, f"{name} to {kind}: exit {status}: {err[:300]}"):
                continue
            with contextlib.redirect_stdout(io.StringIO()):
                back = continuing.from_sqlite(str(out), case["model"]) if kind.endswith("sqlite") else Calibrator.restore_from_checkpoint(str(out), case["model"])
            for field in ("params_samp", "losses_samp", "series_samp"):
                # pandas before 3 reads some decimals one unit in the last place off.
                close = dict(rtol=0, atol=0) if field == "series_samp" or kind.endswith("sqlite") else dict(rtol=1e-15)
                a, b = np.concatenate([getattr(m, field) for m in made]), getattr(back, field)
                tally.check(a.shape == b.shape and np.allclose(a, b, equal_nan=True, **close), f"{name} to {kind}: {field}")
            batches, begin = [], 0
            for m in made:
                batches += [int(v) + begin for v in m.batch_num_samp]
                begin += m.current_batch_index
            tally.check([int(v) for v in back.batch_num_samp] == batches and back.current_batch_index == begin and back.n_sampled_params == len(batches), f"{name} to {kind}: batches")
            tally.check([int(v) for v in back.method_samp] == [int(v) for m in made for v in m.method_samp], f"{name} to {kind}: methods")
            if kind.endswith("sqlite"):
                continue
            with contextlib.redirect_stdout(io.StringIO()):
                back.saving_folder, back.n_jobs = str(out), 1
                back.calibrate(2)
                again = Calibrator.restore_from_checkpoint(str(out), case["model"])
            tally.check(len(again.losses_samp) == len(back.losses_samp) == len(again.series_samp) and again.current_batch_index == begin + 2, f"{name}: calibrates on and saves again")
    sine, markov = folder / "sine-0", folder / "markov-0"
    status, _, err = merge(folder / "no", sine, markov)
    tally.check(status == 5 and "'model_name' is 'sine_model'" in err and "'parameters_bounds'" in err and not (folder / "no").exists(), f"other model: exit {status}: {err}")
    for fixture in ("stale", "torn_after_1", "torn_after_4"):
        status, _, err = merge(folder / "no", sine, FIXTURES / "blackit" / "0.3.3" / fixture)
        tally.check(status == 5 and fixture in err, f"{fixture}: exit {status}: {err}")


with scratch() as place:
    searches(pathlib.Path(place))
    fixtures_of_searches(pathlib.Path(place))
    calibrations(pathlib.Path(place))
tally.finish()
