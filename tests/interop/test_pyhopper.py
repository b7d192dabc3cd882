# pyhopper goes on from what ckpt made of its search states to the end that was recorded when it went on from its own.
import json
import pathlib
import subprocess
import sys

from common import FIXTURES, Tally, arguments, run, scratch

options = arguments()
tally = Tally("pyhopper")
if not FIXTURES.is_dir():
    tally.skip("the fixture collection is not beside the repository")
    tally.passed += 1
    tally.finish()

CONTINUING = FIXTURES / "continuing" / "continuing.py"


def go_on(path, record):
    """(exit code, words) of the real package going on from a file: 0 same end, 1 another, 2 it cannot be run here."""
    done = subprocess.run([sys.executable, CONTINUING, path, record], capture_output=True, text=True, timeout=300)
    return done.returncode, (done.stdout + done.stderr).strip()


with scratch() as folder:
    folder = pathlib.Path(folder)
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
