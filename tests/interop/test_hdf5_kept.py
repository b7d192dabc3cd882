# h5py and Debian's tools on what ckpt writes: types, links, attributes, layouts of the files it came from; large groups and large attributes.
import pathlib
import subprocess
import time

import h5py
import hdf5plugin  # noqa: F401 (registers the filters)
import numpy as np

from common import DATA, FIXTURES, Tally, arguments, run, scratch

options = arguments()
tally = Tally("HDF5 kept")

# What does not come back, by file and path, and why (formats/hdf5/README.md, "Types that come back").
EXCEPTIONS = {
    "native_complex.h5:/c32",  # the complex class of HDF5 2.0 becomes h5py's compound, which older libraries read
    "native_complex.h5:/c64",
    "native_complex.h5:/c128",
    "references.h5:/to_anonymous",  # no path leads to their objects
    "references.h5:/to_deleted",
}


def region(file, reference):
    """What h5py and the library say of it."""
    if not reference:
        return None
    space = h5py.h5r.get_region(reference, file.id)
    name = h5py.h5r.get_name(reference, file.id)
    if space.get_select_type() == h5py.h5s.SEL_POINTS:
        return name, space.get_select_elem_pointlist().tolist()
    return name, space.get_select_bounds(), space.get_select_npoints(), space.get_select_hyper_blocklist().tolist()


def same(a, b, files=None):
    if type(a) is not type(b):
        return False
    if isinstance(a, np.void) and a.dtype.names:
        return all(same(a[name], b[name], files) for name in a.dtype.names)
    if isinstance(a, np.ndarray):
        if a.shape != b.shape:
            return False
        if a.dtype.names:
            return all(same(a[name], b[name], files) for name in a.dtype.names)
        if a.dtype.hasobject:
            return all(same(x, y, files) for x, y in zip(a.ravel(), b.ravel()))
        return a.tobytes() == b.tobytes()
    if isinstance(a, h5py.RegionReference):
        return region(files[0], a) == region(files[1], b)
    if isinstance(a, h5py.Reference):
        return bool(a) == bool(b)
    if isinstance(a, h5py.Empty):
        return a.dtype == b.dtype
    return a == b or (a != a and b != b)


def attempt(function):
    """What it returns, or nothing where h5py itself cannot."""
    try:
        return function()
    except Exception:
        return None


class Comparison:
    def __init__(self, original, copy):
        self.found = {}
        self.seen = set()
        self.is_matlab = str(original).endswith(".mat")
        with h5py.File(original) as a, h5py.File(copy) as b:
            self.objects("", a, b)

    def differs(self, path, how):
        self.found.setdefault(path, how)

    def types(self, path, a, b):
        if not a == b:
            self.differs(path, "type")

    def attributes(self, path, a, b):
        for name in a.attrs:
            where = f"{path}@{name}"
            if name not in b.attrs:
                self.differs(where, "missing")
                continue
            x, y = a.attrs.get_id(name), b.attrs.get_id(name)
            self.types(where, x.get_type(), y.get_type())
            if x.shape != y.shape:
                self.differs(where, f"shape {x.shape} became {y.shape}")
            value = attempt(lambda: a.attrs[name])
            if value is not None and not same(value, attempt(lambda: b.attrs[name]), (a.file, b.file)):
                self.differs(where, "value")

    def objects(self, path, a, b):
        self.attributes(path, a, b)
        address = h5py.h5o.get_info(a.id).addr
        if address in self.seen:
            return
        self.seen.add(address)
        if isinstance(a, h5py.Group):
            self.links(path, a, b)
        elif isinstance(a, h5py.Dataset):
            self.types(path, a.id.get_type(), b.id.get_type())
            if self.is_matlab and "MATLAB_class" in a.attrs and np.issubdtype(a.dtype, np.number) and a.ndim > 1:
                # MATLAB names the axes of its arrays in reverse: h5py sees MATLAB's own in what was written again.
                if b.shape != a.shape[::-1] or not same(a[()].T, b[()]):
                    self.differs(path, f"{a.shape} became {b.shape}, or has other values")
                return
            if a.shape != b.shape or a.maxshape != b.maxshape or a.chunks != b.chunks:
                self.differs(path, f"shape or chunks: {a.shape} {a.maxshape} {a.chunks} became {b.shape} {b.maxshape} {b.chunks}")
            elif a.size is None or a.size < 1 << 22:
                value = attempt(lambda: a[()])
                if value is not None and not same(value, attempt(lambda: b[()]), (a.file, b.file)):
                    self.differs(path, "values")
        else:
            self.types(path, a.id, b.id)

    def links(self, path, a, b):
        ours = set(b)
        for name in a:
            where = f"{path}/{name}"
            x = attempt(lambda: a.get(name, getlink=True))
            if x is None:  # h5py cannot look up names that are not UTF-8
                continue
            if name not in ours:
                self.differs(where, "missing")
                continue
            y = b.get(name, getlink=True)
            if type(x) is not type(y) or (not isinstance(x, h5py.HardLink) and (x.path, getattr(x, "filename", None)) != (y.path, getattr(y, "filename", None))):
                self.differs(where, "link")
            elif isinstance(x, h5py.HardLink):
                p, q = attempt(lambda: a[name]), attempt(lambda: b[name])
                if p is not None and type(p) is not type(q):
                    self.differs(where, "kind of object")
                elif p is not None:
                    self.objects(where, p, q)


def tools_take(path, what, original=None):
    for tool in (["h5dump"], ["h5ls", "-r"], ["h5repack", "-L"]):
        target = [str(path.with_suffix(".packed"))] if tool[0] == "h5repack" else []
        done = subprocess.run([*tool, str(path), *target], capture_output=True)
        if done.returncode != 0 and original and subprocess.run([*tool, str(original), *target], capture_output=True).returncode != 0:
            tally.skip(f"{tool[0]} cannot take what h5py wrote either")  # time types
            continue
        said = done.stderr or done.stdout[-200:]
        tally.check(done.returncode == 0 and b"error" not in done.stderr.lower(), f"{what}: {tool[0]}: {said[:200]!r}")


def kept(folder, source):
    # Two of them are no files to compare: one is huge, others were not closed.
    if "not_closed" in source.name or "huge" in source.name:
        return
    for way in ("straight", "native"):
        copy = folder / "copy.h5"
        copy.unlink(missing_ok=True)
        start = source
        if way == "native":
            start = folder / "between.ckpt"
            start.unlink(missing_ok=True)
            code, _, err = run(options.ckpt, "convert", source, start)
            if not tally.check(code in (0, 5), f"{source.name} to native: {err[:200]}") or code != 0:
                continue
        code, _, err = run(options.ckpt, "convert", start, copy, "--keep-layout")
        if code == 5:
            tally.skip("has what this version refuses")
            continue
        if not tally.check(code == 0, f"{source.name} {way}: {err[:200]}"):
            continue
        for path, how in Comparison(source, copy).found.items():
            tally.check(f"{source.name}:{path}" in EXCEPTIONS, f"{source.name} {way}: {path}: {how}")
        tally.passed += 1
        if way == "straight" and "plugins" not in source.name and "compressors" not in source.name and "filters" not in source.name and "zstd" not in source.name:
            tools_take(copy, source.name, source)


def large_group(folder):
    """Opening, listing and looking up take time that grows no faster than the group."""
    spent = {}
    for count in (10_000, 100_000):
        source, copy = folder / "many.h5", folder / "many_copy.h5"
        with h5py.File(source, "w", libver="v108") as file:
            group = file.create_group("model", track_order=True)
            for i in range(count):
                group.create_dataset(f"layers.{i}.mlp.weight", data=np.float32([i, i]))
        code, _, err = run(options.ckpt, "convert", source, copy, "--overwrite", "-q")
        if not tally.check(code == 0, f"{count} datasets: {err[:200]}"):
            return
        start = time.perf_counter()
        with h5py.File(copy) as file:
            group = file["model"]
            names = list(group)
            tally.check(names == [f"layers.{i}.mlp.weight" for i in range(count)], f"{count} datasets: other names, or another order")
            picked = np.random.default_rng(0).integers(0, count, 2000)
            good = all((group[f"layers.{i}.mlp.weight"][()] == np.float32([i, i])).all() for i in picked)
            tally.check(good, f"{count} datasets: other values")
        spent[count] = time.perf_counter() - start
        done = subprocess.run(["h5ls", f"{copy}/model"], capture_output=True)
        tally.check(done.returncode == 0 and done.stdout.count(b"\n") == count, f"h5ls lists {count} datasets")
        source.unlink()
    tally.check(spent[100_000] < 20 * spent[10_000], f"10,000 datasets take {spent[10_000]:.2f} s, 100,000 take {spent[100_000]:.2f} s")


def large_attributes(folder):
    source, copy = folder / "attributes.h5", folder / "attributes_copy.h5"
    values = np.random.default_rng(1).standard_normal(50_000)
    with h5py.File(source, "w", libver="v108", track_order=True) as file:
        file.attrs["large"] = values
        for i in range(200):
            file.attrs[f"number {i}"] = i
        file["x"] = 1.0
        file["x"].attrs["also large"] = values[:20_000]
    code, _, err = run(options.ckpt, "convert", source, copy)
    if not tally.check(code == 0, f"large attributes: {err[:200]}"):
        return
    with h5py.File(copy) as file:
        tally.check((file.attrs["large"] == values).all() and (file["x"].attrs["also large"] == values[:20_000]).all(), "large attributes: other values")
        tally.check(all(file.attrs[f"number {i}"] == i for i in range(200)), "many attributes: other values")
        tally.check([name for name in file.attrs if name.startswith("number")] == [f"number {i}" for i in range(200)], "many attributes: another order")
    tools_take(copy, "large attributes")


with scratch() as name:
    folder = pathlib.Path(name)
    samples = FIXTURES / "hdf5" if FIXTURES.is_dir() else DATA / "hdf5"
    for source in sorted(path for path in samples.iterdir() if path.suffix in (".h5", ".nc", ".mat", ".h5ad")):
        kept(folder, source)
    for source in sorted(path for path in (DATA / "hdf5" / "more").glob("*.h5") if path.name != "virtual_two_files.h5"):
        kept(folder, source)
    large_group(folder)
    large_attributes(folder)
tally.finish()
