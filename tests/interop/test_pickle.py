# Python loads pickles that were made of Julia's checkpoints, whatever their keys are, and nothing is lost on the way back.
import json
import pathlib
import pickle

from common import DATA, FIXTURES, Tally, arguments, run, scratch, stub_module

options = arguments()
tally = Tally("pickle")
foreign = stub_module()


def entries(path):
    """What inspect shows, without places in files."""
    code, out, err = run(options.ckpt, "inspect", "--json", "--digest=sha256", path)
    shown = json.loads(out)["entries"] if code == 0 else err
    return [{k: v for k, v in e.items() if k not in ("storage", "storage_bytes", "storage_offset")} for e in shown] if code == 0 else shown


with scratch() as folder:
    folder = pathlib.Path(folder)
    for source in sorted([*(DATA / "jld2").rglob("*.jld2"), *(FIXTURES / "jld2").rglob("*.jld2")]):
        if "bad" in source.parts:
            continue
        name = f"{source.parent.name}/{source.name}"
        code, _, err = run(options.ckpt, "convert", source, folder / "x.pkl", "--overwrite", "-q", "--allow-huge")
        if code == 5 and "without loss" not in err and "cannot be kept" not in err:
            tally.skip(f"not read at all: {err.strip()[-80:]}")
            continue
        if not tally.check(code == 0, f"{name}: exit {code}: {err[:300]}"):
            continue
        try:
            with open(folder / "x.pkl", "rb") as f:
                foreign.load(f)
            tally.passed += 1
        except Exception as error:
            tally.check(False, f"{name}: Python does not load it: {type(error).__name__}: {str(error)[:200]}")
        code, _, err = run(options.ckpt, "convert", folder / "x.pkl", folder / "back.jld2", "--overwrite", "-q", "--allow-huge")
        if tally.check(code == 0, f"{name}: back: exit {code}: {err[:300]}"):
            a, b = entries(source), entries(folder / "back.jld2")
            tally.check(a == b, f"{name}: not the same on the way back: {[(x, y) for x, y in zip(a, b) if x != y][:2]}")
tally.finish()
