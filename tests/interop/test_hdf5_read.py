# Files of all kinds, made on the fly by h5py, PyTables, pandas, netCDF4 and anndata: what `inspect` shows is what h5py finds.
import hashlib
import json
import math
import pathlib

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t

try:
    import hdf5plugin  # registers filters that the others write with
except ImportError:
    hdf5plugin = None
import h5py_manifest
import hdf5_manifest
from common import FIXTURES, Tally, arguments, run, scratch

options = arguments()
tally = Tally("HDF5 files as h5py reads them")
if '"hdf5"' not in run(options.ckpt, "formats", "--json")[1]:
    tally.skip("this build has no hdf5 layout")
    tally.passed += 1
    tally.finish()
rng = np.random.default_rng(5)

RECORD = np.dtype([("id", "<i8"), ("p", [("x", "<f4"), ("y", ">i2")]), ("v", "<f8", (2, 3)), ("tag", "S5"), ("ok", "?")])
ALIGNED = np.dtype([("a", "i1"), ("b", "<f8"), ("c", "<u2")], align=True)


def records(count):
    data = np.zeros(count, RECORD)
    for i in range(count):
        data[i] = (i, (i / 2, -i), rng.standard_normal((2, 3)), f"t{i}".encode(), i % 2 == 0)
    return data


def layouts(file):
    """Every storage layout, edge chunks, what was never written, fill values, all number types."""
    for name, shape, keys in (("contiguous", (5, 7), {}), ("edges", (13, 9), {"chunks": (4, 5)}), ("one", (6, 6), {"chunks": (6, 6)}),
                              ("grows", (30, 3), {"chunks": (7, 2), "maxshape": (None, 3)}), ("grows_twice", (9, 8), {"chunks": (2, 3), "maxshape": (None, None)}),
                              ("gzip", (40, 11), {"chunks": (16, 4), "compression": "gzip", "shuffle": True, "fletcher32": True}),
                              ("grows_gzip", (50, 4), {"chunks": (8, 4), "maxshape": (None, 4), "compression": "gzip"}),
                              ("lzf", (33,), {"chunks": (10,), "compression": "lzf"}), ("early", (12, 12), {"chunks": (5, 5)})):
        file.create_dataset(name, data=rng.standard_normal(shape), **keys)
    file.create_dataset("half_written", (20, 10), "<i4", chunks=(6, 4), fillvalue=-7)[3:9, 2:5] = 1
    file.create_dataset("never_written", (4, 3), "<f4", fillvalue=2.5)
    file.create_dataset("never_written_chunks", (1000,), ">i2", chunks=(10,), fillvalue=300)
    resized = file.create_dataset("resized", data=np.arange(100), chunks=(8,), maxshape=(None,))
    resized.resize((37,))
    resized.resize((61,))
    for code in ("i1", "u1", "<i2", ">i2", "<u4", ">u4", "<i8", ">u8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "?", "<c8", ">c16"):
        file[f"types/{code}"] = rng.integers(0, 2 if code == "?" else 100, (3, 2)).astype(code)
        file[f"scalars/{code}"] = np.array(1).astype(code)[()]
    for rank in (0, 1, 4, 8):
        file[f"ranks/{rank}"] = rng.integers(0, 9, (2,) * rank)
    file["zero"] = np.zeros((0, 3), "f4")
    file["null"] = h5py.Empty("f8")
    file["null_text"] = h5py.Empty(h5py.string_dtype())
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_layout(h5d.COMPACT)
    compact = h5d.create(file.id, b"compact", h5t.STD_I32BE, h5s.create_simple((6,)), plist)
    compact.write(h5s.ALL, h5s.ALL, np.arange(6, dtype=">i4"))


def texts(file):
    text = h5py.string_dtype()
    file.create_dataset("vlen", data=np.array([["a", "", "żółć"], ["🎉", "x" * 3000, " "]], object), dtype=text)
    file.create_dataset("chunked", data=[f"row {i}" for i in range(57)], dtype=text, chunks=(10,), compression="gzip")
    file.create_dataset("unwritten", (5,), text)
    file["fixed"] = np.array([b"one", b"", b"three"], "S5")
    file.create_dataset("fixed_utf8", data=np.array(["é".encode(), b"zz"], h5py.string_dtype("utf-8", 4)))
    file["scalar"] = "text"
    file["bytes"] = b"bytes"
    file["void"] = np.void(b"\0\1raw\0")
    file["long"] = "0123456789" * 700
    file.attrs["texts"] = ["α", "", "c"]


def compounds(file):
    file["records"] = records(7)
    file.create_dataset("zipped", data=records(40), chunks=(9,), compression="gzip", shuffle=True)
    file["grid"] = records(6).reshape(2, 3)
    file["scalar"] = records(1)[0]
    aligned = np.zeros(3, ALIGNED)
    aligned["b"] = [1, 2, 3]
    file["gaps"] = aligned
    mixed = np.dtype([("name", h5py.string_dtype()), ("values", h5py.vlen_dtype("<i4")), ("n", "<i4")])
    data = np.zeros(3, mixed)
    for i in range(3):
        data[i] = (f"entry {i}", np.arange(i, dtype="<i4"), i)
    file["strings_and_vlen"] = data
    colour = h5py.enum_dtype({"RED": 0, "GREEN": 1, "BLUE": 42}, "u1")
    file.create_dataset("enum", data=[0, 42, 1, 1], dtype=colour)
    file.create_dataset("arrays", (3,), np.dtype(("<i2", (2, 2))))[...] = rng.integers(0, 9, (3, 2, 2))
    for name, base in (("ragged", "<f8"), ("ragged_u1", "u1")):
        ragged = file.create_dataset(name, (4,), h5py.vlen_dtype(base))
        for i in range(3):
            ragged[i] = np.arange(i * 2).astype(base)
    file["committed"] = RECORD
    file.create_dataset("of_committed", (2,), file["committed"])


def attributes(file):
    """All kinds, compact and dense, small and large, on groups and datasets."""
    group = file.create_group("many", track_order=True)
    for i in range(40):
        group.attrs[f"a{(i * 17) % 40:02}"] = i
    few = file.create_group("few")
    few.attrs["bool"] = np.bool_(True)
    few.attrs["bools"] = np.array([True, False])
    few.attrs["float"] = 2.5
    few.attrs["matrix"] = rng.standard_normal((3, 4))
    few.attrs["complex"] = 1 + 2j
    few.attrs["null"] = h5py.Empty("f4")
    few.attrs["a/b"] = 1
    few.attrs["@x"] = 2
    few.attrs["__type__"] = "mine"
    data = file.create_dataset("data", data=np.arange(3))
    data.attrs["large"] = rng.standard_normal(1000 if file.libver[0] == "earliest" else 20000)
    data.attrs["record"] = records(2)
    data.attrs["enum"] = np.array(1, h5py.enum_dtype({"A": 0, "B": 1}, "i2"))
    ragged = np.empty(2, object)
    ragged[:] = [np.arange(3, dtype="<i4"), np.arange(1, dtype="<i4")]
    data.attrs.create("ragged", ragged, dtype=h5py.vlen_dtype("<i4"))
    file.create_dataset("scalar", data=5).attrs["units"] = "m"
    file.create_dataset("text", data="x").attrs["units"] = "m"


def links(file):
    """Order, hard links, soft links, external links, names."""
    a = file.create_group("tracked", track_order=True)
    for name in ("z", "a", "10", "9", "m", "@key", "back\\slash", "é", "e\u0301", " ", "..", "x" * 500):
        a[name] = np.arange(2)
    file["again"] = a["z"]
    a["up"] = file["/"]
    file["soft"] = h5py.SoftLink("/tracked/m")
    file["dangling"] = h5py.SoftLink("/nowhere")
    file["elsewhere"] = h5py.ExternalLink("other.h5", "/x")
    many = file.create_group("many", track_order=True)
    for i in range(300):
        many[f"k{(i * 7) % 300}"] = np.float32(i)


def references(file):
    file["m/w"] = np.arange(20.0).reshape(4, 5)
    file["m/b"] = np.arange(5)
    w, b = file["m/w"], file["m/b"]
    file.create_dataset("refs", data=[w.ref, b.ref, file["m"].ref, h5py.Reference()], dtype=h5py.ref_dtype)
    regions = file.create_dataset("regions", (5,), h5py.regionref_dtype)
    regions[0] = w.regionref[1:3, 2:4]
    regions[1] = w.regionref[::2, ::3]
    regions[2] = w.regionref[np.array([[True, False, False, True, True]] * 4)]
    regions[3] = b.regionref[[0, 2, 3]]
    kind = np.dtype([("name", "S4"), ("obj", h5py.ref_dtype)])
    file.create_dataset("in_compound", data=np.array([(b"w", w.ref), (b"b", b.ref)], kind), dtype=kind)
    file.attrs["best"] = w.ref
    file.attrs.create("list", [w.ref, b.ref], dtype=h5py.ref_dtype)


def virtual(file):
    """Sources in the same file: gaps, strides, blocks, one on another, without an end, numbered."""
    for i in range(4):
        file[f"src/{i}"] = rng.standard_normal((6, 8))
        file[f"rows/r{i}"] = np.arange(5.0) + 10 * i
    file.create_dataset("src/chunked", data=rng.standard_normal((12, 8)), chunks=(5, 3), compression="gzip")
    file.create_dataset("src/growing", data=np.arange(24.0).reshape(8, 3), maxshape=(None, 3), chunks=(4, 3))

    def source(name, shape, **keys):
        return h5py.VirtualSource(".", name, shape, "<f8", **keys)

    layout = h5py.VirtualLayout((4, 6, 8), "<f8")
    for i in range(4):
        if i != 2:  # a gap
            layout[i] = source(f"src/{i}", (6, 8))
    file.create_virtual_dataset("stacked", layout, fillvalue=-1)
    layout = h5py.VirtualLayout((12, 8), "<f8")
    layout[::2, :] = source("src/0", (6, 8))
    layout[1::2, 1:7:2] = source("src/chunked", (12, 8))[::2, 2:8:2]
    file.create_virtual_dataset("interleaved", layout, fillvalue=7)
    layout = h5py.VirtualLayout((8, 8), "<f8")
    layout[0:6, :] = source("src/0", (6, 8))
    layout[4:8, 2:6] = source("src/1", (6, 8))[0:4, 4:8]  # over the first
    file.create_virtual_dataset("overlapping", layout)
    layout = h5py.VirtualLayout((3, 8), "<f8")
    layout[...] = source("stacked", (4, 6, 8))[0, 1:4, :]
    file.create_virtual_dataset("nested", layout)
    layout = h5py.VirtualLayout((2, 3), "<f8", maxshape=(None, 3))
    layout[0:h5py.h5s.UNLIMITED, :] = source("src/growing", (2, 3), maxshape=(None, 3))[0:h5py.h5s.UNLIMITED, :]
    file.create_virtual_dataset("growing", layout, fillvalue=0)
    layout = h5py.VirtualLayout((4,), "<f8")
    layout[0:4] = source("src/nothing", (4,))
    file.create_virtual_dataset("missing", layout, fillvalue=3)
    plist = h5p.create(h5p.DATASET_CREATE)
    whole = h5s.create_simple((4, 5), (h5s.UNLIMITED, 5))
    whole.select_hyperslab((0, 0), (h5s.UNLIMITED, 1), (1, 1), (1, 5))
    plist.set_virtual(whole, b".", b"/rows/r%b", h5s.create_simple((5,)))
    h5d.create(file.id, b"numbered", h5t.IEEE_F64LE, h5s.create_simple((4, 5), (h5s.UNLIMITED, 5)), plist)


def shared_messages(file):
    """The same types, shapes, fill values and attributes again and again: kept once."""
    for i in range(20):
        dataset = file.create_dataset(f"d{i}", data=np.arange(6.0).reshape(2, 3) + i, chunks=(1, 3), compression="gzip", fillvalue=-99.5)
        dataset.attrs["a long name for an attribute"] = "and a text that is long enough to be shared"
        dataset.attrs["numbers"] = np.arange(10)
    file["records"] = records(3)


def sohm_file(path, as_list):
    """h5py has no words for shared messages: its C library is asked, by way of ctypes."""
    import ctypes

    names = [line.split()[-1] for line in open("/proc/self/maps") if "libhdf5" in line and ".so" in line]
    libraries = [ctypes.CDLL(name) for name in dict.fromkeys(names) if "_hl" not in name]
    library = next((x for x in libraries if hasattr(x, "H5Pset_shared_mesg_nindexes")), None)
    if library is None:
        return False
    create = h5p.create(h5p.FILE_CREATE)
    number = ctypes.c_int64(create.id)
    library.H5Pset_shared_mesg_nindexes(number, ctypes.c_uint(2))
    library.H5Pset_shared_mesg_index(number, ctypes.c_uint(0), ctypes.c_uint(0x0F), ctypes.c_uint(8))  # spaces, types, fill values, filters
    library.H5Pset_shared_mesg_index(number, ctypes.c_uint(1), ctypes.c_uint(0x10), ctypes.c_uint(16))  # attributes
    if as_list:
        library.H5Pset_shared_mesg_phase_change(number, ctypes.c_uint(500), ctypes.c_uint(400))
    else:
        library.H5Pset_shared_mesg_phase_change(number, ctypes.c_uint(4), ctypes.c_uint(3))
    with h5py.File(h5py.h5f.create(str(path).encode(), h5py.h5f.ACC_TRUNC, create)) as file:
        shared_messages(file)
    return True


def compare(path, *more, due=0, manifest=None):
    code, out, err = run(options.ckpt, "inspect", "--json", "--digest=sha256", path, *more)
    if not tally.check(code == due and out, f"{path.name}: inspect exits with {code}: {err.strip()[:300]}"):
        return
    problems = hdf5_manifest.compare(manifest or h5py_manifest.manifest(path), json.loads(out))
    tally.check(not problems, f"{path.name}: " + "; ".join(problems[:4]))


def external(folder):
    """Other files: refused by name, and read where that is allowed and they lie in the same folder."""
    (folder / "raw.bin").write_bytes(bytes(range(64)))
    (folder / "below").mkdir()
    (folder / "below" / "part.bin").write_bytes(b"\1\2\3\4")
    with h5py.File(folder / "source.h5", "w") as file:
        file["x"] = np.arange(12.0)
    with h5py.File(folder / "outside.h5", "w") as file:
        file.create_dataset("d", (4,), "u1", external=[(str(folder.parent / "secret.bin"), 0, 4)])
        file.create_dataset("up", (4,), "u1", external=[("../secret.bin", 0, 4)])
    (folder / "link.bin").symlink_to("../secret.bin")
    (folder.parent / "secret.bin").write_bytes(b"abcd")
    with h5py.File(folder / "linked.h5", "w") as file:
        file.create_dataset("d", (4,), "u1", external=[("link.bin", 0, 4)])
    path = folder / "external.h5"
    with h5py.File(path, "w") as file:
        file["plain"] = np.arange(3)
        file.create_dataset("raw", (5, 2), ">i2", external=[("raw.bin", 4, 10), ("raw.bin", 30, 10)])
        file.create_dataset("past_the_end", (40,), "u1", external=[(str(folder / "below/part.bin"), 0, h5py.h5f.UNLIMITED)])
        layout = h5py.VirtualLayout((2, 12), "<f8")
        layout[0] = h5py.VirtualSource("source.h5", "x", (12,), "<f8")
        layout[1] = h5py.VirtualSource("gone.h5", "x", (12,), "<f8")
        file.create_virtual_dataset("virtual", layout, fillvalue=-2)
    code, out, err = run(options.ckpt, "inspect", "--json", path)
    entries = {e["path"]: e for e in json.loads(out)["entries"]}
    tally.check(code == 5 and all(f"'{name}'" in err for name in ("raw", "past_the_end", "virtual")), f"refused by name: {code} {err}")
    tally.check("raw.bin" in err and "source.h5" in err and entries["raw"]["type"] == "damaged" and entries["plain"]["kind"] == "tensor", f"names: {err}")
    import os
    here = os.getcwd()
    os.chdir(folder)  # where the library looks for external data
    compare(path, "--allow-external")
    os.chdir(here)
    for name in ("outside.h5", "linked.h5"):
        code, out, err = run(options.ckpt, "inspect", "--json", folder / name, "--allow-external")
        tally.check(code == 5 and "outside of the folder" in err, f"{name}: {code} {err}")


def others(folder):
    """Files of programs that write HDF5 their own way."""
    try:
        import tables

        with tables.open_file(folder / "tables.h5", "w") as file:
            table = file.create_table("/", "t", {"a": tables.Int32Col(), "s": tables.StringCol(6), "v": tables.Float64Col(shape=(2,))})
            for i in range(20):
                table.row["a"], table.row["s"], table.row["v"] = i, f"s{i}".encode(), (i, -i)
                table.row.append()
            table.flush()
            file.create_earray("/", "grows", obj=np.arange(12.0).reshape(4, 3))
            file.create_carray("/g", "zipped", obj=np.arange(300), filters=tables.Filters(5, "blosc:lz4"), createparents=True)
            ragged = file.create_vlarray("/", "ragged", tables.Int16Atom())
            ragged.append([1, 2, 3])
            ragged.append([4])
        compare(folder / "tables.h5")
    except ImportError:
        tally.skip("no PyTables")
    try:
        import pandas

        frame = pandas.DataFrame({"i": np.arange(6), "f": np.linspace(0, 1, 6), "s": list("abcdef"), "t": pandas.date_range("2024-01-01", periods=6)})
        frame.to_hdf(folder / "pandas_table.h5", key="data/frame", format="table", data_columns=["i"])
        frame[["i", "f"]].to_hdf(folder / "pandas_fixed.h5", key="frame", format="fixed")
        compare(folder / "pandas_table.h5")
        compare(folder / "pandas_fixed.h5")
    except ImportError:
        tally.skip("no pandas")
    try:
        import netCDF4

        with netCDF4.Dataset(folder / "ocean.nc", "w") as file:
            file.createDimension("time", None)
            file.createDimension("x", 4)
            variable = file.createVariable("temperature", "f4", ("time", "x"), zlib=True, fill_value=-999)
            variable[:] = rng.standard_normal((3, 4))
            variable.units = "K"
            file.createVariable("name", str, ("x",))[:] = np.array(["a", "b", "", "d"], object)
            file.createGroup("g").createVariable("n", "i8", ("x",))[:] = np.arange(4)
        compare(folder / "ocean.nc")
    except ImportError:
        tally.skip("no netCDF4")
    try:
        import anndata
        import scipy.sparse

        cells = anndata.AnnData(scipy.sparse.random(10, 6, 0.3, "csr", random_state=1, dtype="f4"))
        cells.obs["kind"] = ["a", "b"] * 5
        cells.obs["kind"] = cells.obs["kind"].astype("category")
        cells.obsm["pca"] = rng.standard_normal((10, 2))
        cells.write_h5ad(folder / "cells.h5ad", compression="gzip")
        compare(folder / "cells.h5ad")
    except ImportError:
        tally.skip("no anndata")
    if hdf5plugin is None:
        tally.skip("no hdf5plugin")
    else:
        with h5py.File(folder / "plugins.h5", "w") as file:
            for name, codec in (("none", {"cname": "none"}), ("lz4", {"cname": "lz4"}), ("zstd", {"cname": "zstd"})):
                for dtype in ("u1", "<i2", "<f4", "<c16", ">u4"):
                    for count in (3, 8, 1000, 4099):
                        data = rng.integers(0, 50, count).astype(dtype)
                        file.create_dataset(f"bitshuffle_{name}/{dtype}/{count}", data=data, chunks=(count,), **hdf5plugin.Bitshuffle(**codec))
        compare(folder / "plugins.h5")


def keras(folder):
    """The model alone: Keras's layers by name, in its order, weight for weight."""
    if not FIXTURES.is_dir():
        return tally.skip("the fixture collection is not beside the repository")
    known = json.loads((FIXTURES / "hdf5/keras3_legacy_model.h5.expected.json").read_text())["entries"]
    by_path = {e["path"]: e for e in known}
    due = []  # the old format says all names; the three files hold one model
    for layer in by_path["model_weights"]["attributes"]["layer_names"]["first"]:
        for weight in by_path[f"model_weights/{layer}"]["attributes"]["weight_names"].get("first", []):
            due.append((layer, weight, by_path[f"model_weights/{layer}/{weight}"]["sha256"]))
    for name in ("keras3_legacy_model.h5", "keras3.weights.h5", "keras3.keras"):
        output = folder / f"model_of_{name}.h5"
        code, out, err = run(options.ckpt, "extract", FIXTURES / "hdf5" / name, "--model-only", "-o", output)
        if not tally.check(code == 0, f"extract {name}: {code} {err}"):
            continue
        entries = json.loads(run(options.ckpt, "inspect", "--json", "--digest=sha256", output)[1])["entries"]
        found = [(e["path"], e["sha256"]) for e in entries if e["kind"] == "tensor"]
        wanted = [(f"{layer}/{weight.split('/')[-1]}" if "legacy" in name else layer, sha) for layer, weight, sha in due]
        if "legacy" not in name:
            found = [(path.split("/")[0], sha) for path, sha in found]
        if name == "keras3.weights.h5":  # without a configuration the order of layers is the file's
            found, wanted = sorted(found), sorted(wanted)
        tally.check(found == wanted, f"{name}: {found} instead of {wanted}")


def wide_numbers(folder):
    """Integers of more than 64 bits and 128-bit floats, which NumPy lacks: written byte by byte."""
    path = folder / "wide.h5"
    integers, floats = {}, {"quad": [0.0, 1.0, -2.5, 1 / 3, 1e300, -1e-300]}

    def quad(value):
        if value == 0:
            return bytes(16)
        fraction, exponent = math.frexp(abs(value))
        number = (exponent - 1 + 16383 << 112) | (int(fraction * 2**113) - (1 << 112)) | (1 << 127 if value < 0 else 0)
        return number.to_bytes(16, "little")

    def create(file, name, kind, count, raw):
        dataset = h5py.h5d.create(file.id, name.encode(), kind, h5py.h5s.create_simple((count,)))
        dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.frombuffer(raw, dtype=f"V{len(raw) // count}").copy(), mtype=kind)

    with h5py.File(path, "w") as file:
        for name, size, order, signed, precision, offset in [
            ("i128", 16, "little", True, 128, 0), ("i128be", 16, "big", True, 128, 0), ("u128", 16, "little", False, 128, 0),
            ("i72", 9, "little", True, 72, 0), ("u100", 16, "big", False, 100, 12), ("i256", 32, "little", True, 256, 0)]:
            kind = {("little", True): h5py.h5t.STD_I64LE, ("big", True): h5py.h5t.STD_I64BE, ("little", False): h5py.h5t.STD_U64LE, ("big", False): h5py.h5t.STD_U64BE}[order, signed].copy()
            kind.set_size(size), kind.set_precision(precision), kind.set_offset(offset)
            values = [0, 1, 2**63, 2**64 - 1, 2**precision - 1] if not signed else [0, 1, -1, 2**63, -(2**63) - 1, 2 ** (precision - 1) - 1, -(2 ** (precision - 1))]
            raw = b"".join(((value & 2**precision - 1) << offset).to_bytes(size, order) for value in values)
            create(file, name, kind, len(values), raw)
            integers[name] = values
        kind = h5py.h5t.IEEE_F64LE.copy()
        kind.set_size(16), kind.set_precision(128), kind.set_fields(127, 112, 15, 0, 112), kind.set_ebias(16383)
        create(file, "quad", kind, len(floats["quad"]), b"".join(map(quad, floats["quad"])))
    again = folder / "wide_again.h5"
    code, out, err = run(options.ckpt, "convert", path, again)
    tally.check(code == 0 and "floats of 128 bits are shown as float64" in err, f"convert: {code} {err}")
    for file in (path, again):
        entries = {e["path"]: e for e in json.loads(run(options.ckpt, "inspect", "--json", "--digest=sha256", file)[1])["entries"]}
        for name, values in integers.items():
            found = [int(entries[f"{name}/{i}"]["value"]) for i in range(len(values))]
            tally.check(found == values, f"{file.name}: {name}: {found} instead of {values}")
        for name, values in floats.items():
            digest = hashlib.sha256(np.array(values, entries[name]["dtype"]).tobytes()).hexdigest()
            tally.check(entries[name].get("sha256") == digest, f"{file.name}: {name} has other values")
    with h5py.File(path) as a, h5py.File(again) as b:
        for name, values in {**integers, **floats}.items():
            kinds = [file[name].id.get_type() for file in (a, b)]
            raw = [np.zeros(len(values), f"V{kind.get_size()}") for kind in kinds]
            for file, bytes_, kind in zip((a, b), raw, kinds):
                file[name].id.read(h5py.h5s.ALL, h5py.h5s.ALL, bytes_, mtype=kind)
            tally.check(kinds[0] == kinds[1] and raw[0].tobytes() == raw[1].tobytes(), f"{name} is written again with another type or value")


VERSIONS = ("earliest", "v108", "v110", "v112", "v114", "latest")
with scratch() as name:
    folder = pathlib.Path(name) / "files"
    folder.mkdir()
    for version in VERSIONS:
        for make in (layouts, texts, compounds, attributes, links, references, virtual):
            if make is virtual and version in ("earliest", "v108"):
                continue  # a virtual dataset asks for 1.10
            path = folder / f"{make.__name__}_{version}.h5"
            with h5py.File(path, "w", libver=(version, "latest"), track_order=version == "v112") as file:
                make(file)
            compare(path)
    for size in (512, 1024, 65536):
        path = folder / f"user_block_{size}.h5"
        with h5py.File(path, "w", userblock_size=size) as file:
            file["x"] = np.arange(4)
        compare(path)
    for as_list in (True, False):
        path = folder / f"shared_messages_{'list' if as_list else 'tree'}.h5"
        if sohm_file(path, as_list):
            compare(path)
        else:
            tally.skip("the HDF5 library of h5py cannot be asked for shared messages")
    external(folder)
    others(folder)
    keras(folder)
    wide_numbers(folder)
tally.finish()
