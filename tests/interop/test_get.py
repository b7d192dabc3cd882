# `ckpt get` in each form beside NumPy, and histograms beside numpy.histogram.
import io
import json
import pathlib
import subprocess

import numpy
import torch
from common import Tally, arguments, run, scratch

options = arguments()
tally = Tally("get beside NumPy")
torch.manual_seed(13)
tensors = {
    "f32": torch.randn(4, 5, 6), "f64": torch.randn(7, dtype=torch.float64), "f16": torch.randn(3, 2).half(), "i64": torch.arange(-10, 20).reshape(5, 6), "u8": torch.arange(256, dtype=torch.int32).to(torch.uint8),
    "flag": torch.rand(10) < 0.5, "c64": torch.randn(6, dtype=torch.complex64), "strided": torch.randn(8, 9).t(), "scalar": torch.tensor(1.25), "empty": torch.zeros(0, 3), "large": torch.randn(300, 400),
    "a[1]": torch.ones(2),
}
SLICES = ["0", "-1", "1:3", ":", "0:2,:,-1", "...,0", "1,...", "::2", ":,1:-1", "5:2", "-2:", ":,::3,1", "100:200", "0,0,0"]


def raw(*args):
    done = subprocess.run([options.ckpt, *map(str, args)], capture_output=True, timeout=120)
    return done.returncode, done.stdout, done.stderr.decode()


with scratch() as name:
    folder = pathlib.Path(name)
    path = folder / "a.pt"
    log = {"loss": [0.5, 0.25, 1e-9], "epoch": [1, 2, 3], "name": ["a,b", 'say "x"', "plain"]}
    torch.save({**tensors, "log": log, "rows": [{"x": 1, "y": 0.5}, {"x": 2, "z": True}], "bf16": torch.ones(2).bfloat16()}, path)
    for key, tensor in tensors.items():
        array = tensor.numpy()
        code, out, err = raw("get", path, key, "--format", "npy")
        found = numpy.load(io.BytesIO(out)) if code == 0 else None
        tally.check(code == 0 and found.dtype == array.dtype and numpy.array_equal(found, array), f"{key} as npy: {code} {err}")
        code, out, err = raw("get", path, key, "--format", "raw")
        tally.check(code == 0 and out == numpy.ascontiguousarray(array).tobytes(), f"{key} as raw: {code} {err}")
        code, out, err = raw("get", path, key, "--format", "npy", "-o", folder / f"{key}.npy")
        tally.check(code == 0 and out == b"" and numpy.array_equal(numpy.load(folder / f"{key}.npy"), array), f"{key} to a file: {code} {err}")
        if array.size and array.dtype.kind in "fiu":
            code, out, err = raw("get", path, key, "--format", "csv")
            found = numpy.loadtxt(io.BytesIO(out), delimiter=",", dtype=array.dtype, ndmin=1) if code == 0 else None
            tally.check(code == 0 and numpy.array_equal(found.reshape(array.shape), array), f"{key} as csv: {code} {err}")
        code, out, err = raw("get", path, key, "--format", "json")
        if array.dtype.kind in "fiub":
            tally.check(code == 0 and numpy.array_equal(numpy.array(json.loads(out)["data"], dtype=array.dtype).reshape(array.shape), array), f"{key} as JSON: {code} {err}")
        for text in SLICES:
            try:
                due = eval(f"array[{text}]", {"array": array})
            except IndexError:
                code, out, err = raw("get", path, f"{key}[{text}]", "--format", "npy")
                tally.check(code == 1, f"{key}[{text}]: {code}, not 1")
                continue
            code, out, err = raw("get", path, f"{key}[{text}]", "--format", "npy")
            found = numpy.load(io.BytesIO(out)) if code == 0 else None
            tally.check(code == 0 and found.shape == due.shape and numpy.array_equal(found, due), f"{key}[{text}]: {code} {err}")
    code, out, err = raw("get", path, "a[1]", "--format", "raw")
    tally.check(code == 0 and len(out) == 8, f"a key with brackets: {code} {err}")
    code, out, err = raw("get", path, "a[1][0]")
    tally.check(code == 0 and out == b"float32 ()\n1\n", f"a slice of a key with brackets: {code} {out} {err}")
    code, out, err = raw("get", path, "log", "--format", "csv")
    tally.check(code == 0 and out.decode() == 'loss,epoch,name\n0.5,1,"a,b"\n0.25,2,"say ""x"""\n1e-09,3,plain\n', f"columns: {code} {out} {err}")
    code, out, err = raw("get", path, "rows", "--format", "csv")
    tally.check(code == 0 and out.decode() == "x,y,z\n1,0.5,\n2,,true\n", f"rows: {code} {out} {err}")
    code, out, err = raw("get", path, "log/loss", "--format", "npy")
    tally.check(code == 0 and numpy.array_equal(numpy.load(io.BytesIO(out)), numpy.array(log["loss"])), f"a list as npy: {code} {err}")
    code, out, err = raw("get", path, "log/loss[-2:]", "--format", "csv")
    tally.check(code == 0 and out == b"0.25\n1e-09\n", f"part of a list: {code} {out} {err}")
    code, out, err = raw("get", path, "bf16", "--format", "npy")
    tally.check(code == 5 and b"" == out and "bfloat16" in err, f"bfloat16 as npy: {code} {err}")
    code, out, err = raw("get", path, "f32", "-o", folder / "f32.npy")
    tally.check(code == 5, f"an output that exists: {code} {err}")
    code, out, err = run(options.ckpt, "inspect", path, "--hist", 13, "--json")
    for entry in json.loads(out)["entries"]:
        if "stats" not in entry or "histogram" not in entry["stats"] or entry["path"] not in tensors:
            continue
        array = tensors[entry["path"]].numpy()
        if array.size < 2 or array.dtype.kind not in "fiu" or array.min() == array.max():  # all the same: one bar
            continue
        counts, edges = numpy.histogram(array.astype(numpy.float64), 13)
        ours = entry["stats"]["histogram"]
        tally.check(ours["counts"] == counts.tolist() and numpy.allclose(ours["edges"], edges, rtol=1e-12), f"histogram of {entry['path']}: {ours['counts']}, not {counts.tolist()}")
tally.finish()
