# Files of h5py and others: what ckpt finds in them is what h5py found; and what ckpt writes, the HDF5 tools take.
import hashlib
import json
import pathlib
import subprocess

import h5py
import numpy as np

from common import DATA, FIXTURES, Tally, arguments, run, scratch

options = arguments()
tally = Tally("HDF5")
if '"hdf5"' not in run(options.ckpt, "formats", "--json")[1]:
    tally.skip("this build has no hdf5 layout")
    tally.passed += 1
    tally.finish()

# This version reads what h5py writes by default and what we write; the rest is refused by name.
READ_WHOLE = ["checkpoint_flat", "checkpoint_nested", "checkpoint_dots_to_groups", "numeric", "bool_complex", "bfloat16", "strings", "dataspaces", "links",
              "names", "order", "libver_earliest", "libver_v108", "libver_v110"]
DTYPES = {"<f2": "float16", "<f4": "float32", "<f8": "float64", "bool": "bool", "<c8": "complex64", "<c16": "complex128", "bfloat16": "bfloat16",
          **{f"{order}{kind}{size}": f"{'u' if kind == 'u' else ''}int{8 * size}" for order in "<>|" for kind in "iu" for size in (1, 2, 4, 8)},
          ">f2": "float16", ">f4": "float32", ">f8": "float64", ">c8": "complex64", ">c16": "complex128"}


def against_manifest(path, name):
    code, out, err = run(options.ckpt, "inspect", "--json", "--digest=sha256", path)
    if not tally.check(code == 0, f"{name}: inspect exits with {code}: {err.strip()[:200]}"):
        return
    mine = {e["path"]: e for e in json.loads(out)["entries"]}
    problems = []
    for entry in json.loads(path.with_name(path.name + ".expected.json").read_text())["entries"]:
        where, kind = entry["path"], entry["kind"]
        found = mine.get(where)
        if found is None:
            problems.append(f"{where!r} is missing ({kind})")
        elif kind == "group" and found["kind"] != "dict":
            problems.append(f"{where!r} is a group, shown as {found['kind']}")
        elif kind == "hardlink" and (found["kind"] != "shared" or found["same_as"] != entry["same_as"]):
            if not ("value" in found or found["kind"] in ("null", "string")):  # scalars have no identity
                problems.append(f"{where!r} is the same as {entry['same_as']!r}, shown as {found['kind']} {found.get('same_as')}")
        elif kind == "dataset" and entry.get("shape") is None and found["kind"] != "null" and entry["dtype"] != "other":
            problems.append(f"{where!r} is null, shown as {found['kind']}")
        elif kind == "dataset" and entry.get("dtype") in DTYPES and entry.get("shape"):
            if found["kind"] != "tensor" or found["dtype"] != DTYPES[entry["dtype"]] or found["shape"] != entry["shape"]:
                problems.append(f"{where!r} is {entry['dtype']} {entry['shape']}, shown as {found['kind']} {found.get('dtype')} {found.get('shape')}")
            elif entry.get("sha256", found.get("sha256")) != found.get("sha256"):
                problems.append(f"{where!r} has another digest")
        elif kind == "dataset" and entry.get("shape") == [] and entry.get("dtype") in DTYPES and "first" in entry:
            value = found.get("value")
            if value != entry["first"][0] and found["kind"] != "tensor":
                problems.append(f"{where!r} is {entry['first'][0]!r}, shown as {value!r}")
    order = [e["path"] for e in json.loads(path.with_name(path.name + ".expected.json").read_text())["entries"] if e["kind"] in ("group", "dataset")]
    shown = [p for p in mine if p in set(order)]
    if [p for p in order if p in mine] != shown:
        problems.append("order differs")
    tally.check(not problems, f"{name}: " + "; ".join(problems[:4]))


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
if FIXTURES.is_dir():
    for stem in READ_WHOLE:
        against_manifest(FIXTURES / "hdf5" / (stem + ".h5"), stem)
    against_manifest(FIXTURES / "hdf5/keras3.weights.h5", "keras3.weights")
else:
    tally.skip("the fixture collection is not beside the repository")
tally.finish()
