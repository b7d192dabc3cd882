# Files of h5py and others: what ckpt finds in them is what h5py found; and what ckpt writes, the HDF5 tools take.
import pathlib
import subprocess

import h5py
import numpy as np

from common import Tally, arguments, run, scratch

options = arguments()
tally = Tally("HDF5")
if '"hdf5"' not in run(options.ckpt, "formats", "--json")[1]:
    tally.skip("this build has no hdf5 layout")
    tally.passed += 1
    tally.finish()

def make_file(path):
    with h5py.File(path, "w", track_order=True) as file:
        rng = np.random.default_rng(0)
        file["b"] = rng.standard_normal((3, 4), dtype=np.float32)
        file["a"] = np.arange(10)
        file["again"] = file["b"]
        group = file.create_group("nested/deeper", track_order=True)
        group["half"] = rng.standard_normal(5).astype(np.float16)
        group["flags"] = np.array([True, False])
        group["complex"] = rng.standard_normal(3) + 1j
        group["text"] = "naïve"
        group["empty"] = h5py.Empty("f4")
        group.create_dataset("zip", data=rng.integers(0, 5, (100, 30)), chunks=(7, 11), compression="gzip", shuffle=True, fletcher32=True)
        file.attrs["epoch"] = 7
        file["b"].attrs["units"] = "m"


def foreign_round_trip(folder):
    """h5py's file -> ours: h5py reads the same from both."""
    source, copy = folder / "h5py.h5", folder / "copy.h5"
    make_file(source)
    for compress in ([], ["--compress", "gzip"]):
        code, out, err = run(options.ckpt, "convert", source, copy, "--overwrite", *compress)
        if not tally.check(code == 0, f"convert h5py's file {compress}: {err.strip()[:200]}"):
            continue
        with h5py.File(source) as a, h5py.File(copy) as b:
            for name in ("a", "b", "again", "nested/deeper/half", "nested/deeper/flags", "nested/deeper/complex", "nested/deeper/zip"):
                x, y = a[name][()], b[name][()]
                tally.check(x.dtype == y.dtype and x.tobytes() == y.tobytes(), f"{name} {compress}: {x.dtype} became {y.dtype}, or other values")
            tally.check(list(a) == list(b), f"order: {list(a)} became {list(b)}")
            tally.check(b["nested/deeper/text"].asstr()[()] == "naïve", "text")
            tally.check(b["b"] == b["again"], "the hard link")
            tally.check(b["nested/deeper/empty"].shape is None, "the null dataspace")
        for tool in (["h5dump"], ["h5ls", "-r"]):
            done = subprocess.run([*tool, str(copy)], capture_output=True)
            tally.check(done.returncode == 0 and not done.stderr, f"{tool[0]}: {done.stderr[:200]!r}")
        packed = folder / "packed.h5"
        done = subprocess.run(["h5repack", str(copy), str(packed)], capture_output=True)
        tally.check(done.returncode == 0 and not done.stderr, f"h5repack: {done.stderr[:200]!r}")


with scratch() as name:
    foreign_round_trip(pathlib.Path(name))
tally.finish()
