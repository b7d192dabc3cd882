# pyhopper goes on from what ckpt made of its search states to the end that was recorded when it went on from its own: the fixtures, and searches made here.
import contextlib
import io
import json
import pathlib
import shutil

from common import FIXTURES, Tally, arguments, go_on, run, scratch

options = arguments()
tally = Tally("pyhopper")
if not FIXTURES.is_dir():
    tally.skip("the fixture collection is not beside the repository")
    tally.passed += 1
    tally.finish()

def by_way(original, way, folder):
    """The state after it went through other layouts and back; None where a step failed."""
    at = original
    for i, extension in enumerate((*way, None)):
        step = folder / (f"{i}.{extension}" if extension else "back.ckpt")
        status, _, err = run(options.ckpt, "convert", at, step, "--overwrite", "-q", *(() if extension else ("--to", "pyhopper")))
        if not tally.check(status == 0, f"{original.name} to {step.name}: exit {status}: {err[:200]}"):
            return None
        at = step
    return at


def searches_made_here(folder):
    """For each kind of search: one that ended, and one that is copied in the middle of its run."""
    import continuing
    import pyhopper
    import toysearch

    for name, case in toysearch.CASES.items():
        ended, caught, running = (folder / f"{name}.{kind}.ckpt" for kind in ("ended", "caught", "running"))
        for path, catches in ((ended, False), (running, True)):
            count = 0

            def objective(candidate):
                nonlocal count
                count += 1
                if catches and count == 6:
                    shutil.copyfile(running, caught)
                result = case["objective"](candidate)
                if hasattr(result, "__next__"):
                    yield from result
                else:
                    yield result

            def plain(candidate):
                result = None
                for result in objective(candidate):
                    pass
                return result

            pruner = case["pruner"]() if case.get("pruner") else None
            with continuing.fixed(77, 1.7e9), contextlib.redirect_stdout(io.StringIO()):
                search = pyhopper.Search(case["space"]())
                search.run(objective if pruner else plain, case["direction"], steps=14, quiet=True, pruner=pruner, **case.get("run", {}),
                           **({"checkpoint_path": str(running)} if catches else {}))
                if not catches:
                    search.save(str(ended), pruner)
        for original, how in ((ended, {"kind": "load", "steps": 8, "seed": 5}), (caught, {"kind": "resume", "steps": 14, "seed": 5})):
            if not original.exists():  # fewer candidates than that were evaluated
                continue
            due = json.dumps(continuing.continue_search(original, case, {"continue": how})[0])
            for way in ((), ("ckpt",), ("h5", "ckpt"), ("pt", "pkl")):
                back = by_way(original, way, folder)
                if back is not None:
                    found = json.dumps(continuing.continue_search(back, case, {"continue": how})[0])
                    tally.check(found == due, f"{original.name} by {'/'.join(way) or 'itself'} goes on to another end")


with scratch() as folder:
    folder = pathlib.Path(folder)
    searches_made_here(folder)
    for record in sorted((FIXTURES / "pyhopper").glob("*.continue.json")):
        name = record.name[: -len(".continue.json")]
        original = record.with_name(name)
        code, words = go_on(original, record)
        if code == 2:
            tally.skip(words)
            continue
        tally.check(code == 0, f"{name}: the original itself ends elsewhere: {words[:200]}")
        ways = ((), ("h5", "ckpt"))
        if "custom" in name or "quantile" in name:  # values of every kind by every way
            ways = ((), ("ckpt",), ("h5",), ("pt",), ("pkl",), ("h5", "ckpt"))
        for way in ways:
            at, good = original, True
            for i, extension in enumerate(way):
                step = folder / f"{i}.{extension}"
                status, _, err = run(options.ckpt, "convert", at, step, "--overwrite", "-q")
                good = good and tally.check(status == 0, f"{name} to .{extension}: exit {status}: {err[:200]}")
                at = step
            back = folder / "back.ckpt"
            status, _, err = run(options.ckpt, "convert", at, back, "--to", "pyhopper", "--overwrite", "-q")
            if not good or not tally.check(status == 0, f"{name} by {way}: back: exit {status}: {err[:200]}"):
                continue
            code, words = go_on(back, record)
            tally.check(code == 0, f"{name} by {'/'.join(way) or 'itself'}: {words[:300]}")
tally.finish()
