# black-it restores, calibrates on and saves again what ckpt made of its saving folders, to the end it comes to from its own.
import contextlib
import io
import json
import pathlib
import shutil

from common import FIXTURES, Tally, arguments, go_on, run, scratch

options = arguments()
tally = Tally("black-it")
if not FIXTURES.is_dir():
    tally.skip("the fixture collection is not beside the repository")
    tally.passed += 1
    tally.finish()

import black_it.calibrator  # here, so that those who go on have it


def convert(*args):
    status, _, err = run(options.ckpt, "convert", *args, "--overwrite", "-q")
    return tally.check(status == 0, f"convert {args}: exit {status}: {err[:300]}")


def calibrations_made_here(folder):
    """Made, saved, handed through other layouts into either kind of folder, and continued: to the same end as from the package's own folder."""
    import continuing
    import toymodels

    for name, case in toymodels.CASES.items():
        original = folder / f"made-{name}"
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                made = black_it.calibrator.Calibrator(samplers=case["samplers"](), loss_function=case["loss"](), real_data=case["real"](), model=case["model"], parameters_bounds=case["bounds"],
                                  parameters_precision=case["precision"], ensemble_size=case["ensemble"], saving_folder=str(original), random_state=4, n_jobs=1,
                                  **dict(case.get("options", {}), verbose=False))
                made.calibrate(2)
        except Exception as error:  # a loss or a sampler that this version of a package does not take
            tally.skip(f"{name}: {type(error).__name__}: {str(error)[:80]}")
            continue
        how = {"continue": {"kind": "folder", "batches": 2}}
        due = json.dumps(continuing.continue_calibration(original, case, how)[0])
        for way in ((), ("h5",), ("ckpt",), ("pt", "h5")):
            at = original
            for extension in way:
                convert(at, folder / f"x.{extension}")
                at = folder / f"x.{extension}"
            if convert(at, folder / "back", "--to", "blackit"):
                found = json.dumps(continuing.continue_calibration(folder / "back", case, how)[0])
                tally.check(found == due, f"{name} by {'/'.join(way) or 'itself'} goes on to another end")
        if convert(original, folder / "other", "--to", "blackit-sqlite") and convert(folder / "other", folder / "back", "--to", "blackit"):
            found = json.dumps(continuing.continue_calibration(folder / "back", case, how)[0])
            tally.check(found == due, f"{name} by SQLite goes on to another end")


with scratch() as folder:
    folder = pathlib.Path(folder)
    for recorded in sorted((FIXTURES / "blackit").rglob("*.continue.json")):
        name = recorded.name[: -len(".continue.json")]
        original = recorded.with_name(name)
        said = f"{recorded.parent.name}/{name}"
        is_sqlite = json.loads(recorded.read_text())["continue"]["kind"] == "sqlite"
        record = folder / "record.json"
        shutil.copyfile(recorded, record)
        code, words = go_on(original, record)
        if code == 2 and "needs" in words:
            tally.skip(words)
            continue
        if code == 2:  # recorded with another NumPy or pandas: what it comes to here is recorded anew
            code, words = go_on(original, record, "--record")
        if not tally.check(code == 0, f"{said}: the original itself: {words[:200]}"):
            continue
        kind = "blackit-sqlite" if is_sqlite else "blackit"
        for way in ((), ("h5",), ("ckpt",)):
            at = original
            for extension in way:
                convert(at, folder / f"x.{extension}")
                at = folder / f"x.{extension}"
            back = folder / "back"
            if not convert(at, back, "--to", kind):
                continue
            code, words = go_on(back, record)
            tally.check(code == 0, f"{said} by {'/'.join(way) or 'itself'}: {words[:300]}")
            if not way and not is_sqlite and "stale" not in name:  # the other kind, and back
                other, again = folder / "other", folder / "again"
                if convert(original, other, "--to", "blackit-sqlite") and convert(other, again, "--to", "blackit"):
                    code, words = go_on(again, record)
                    tally.check(code == 0, f"{said} by SQLite: {words[:300]}")
    calibrations_made_here(folder)  # behind those that fork
tally.finish()
