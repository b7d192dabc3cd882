# `ckpt diff` beside torch: which elements differ, by how much, and whether the layouts agree.
import json
import pathlib

import numpy
import torch
from common import Tally, arguments, run, scratch

options = arguments()
tally = Tally("differences beside torch's")
torch.manual_seed(5)
FLOATS = {torch.float64: numpy.int64, torch.float32: numpy.int32, torch.float16: numpy.int16, torch.bfloat16: numpy.int16, torch.float8_e4m3fn: numpy.int8, torch.float8_e5m2: numpy.int8}
INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def pair(dtype, large=False):
    a = torch.randn(1500000 if large else 4001) * 3
    b = a + torch.randn_like(a) * 0.01
    b[::3] = a[::3]
    if dtype in INTEGERS:
        a, b = (a * 10).abs(), (b * 10).abs()
    return a.to(dtype), b.to(dtype)


a, b = {}, {}
for dtype in (*FLOATS, *INTEGERS):
    name = str(dtype).removeprefix("torch.")
    a[name], b[name] = pair(dtype)
a["large"], b["large"] = pair(torch.float32, large=True)
a["strided"], b["strided"] = (t[:4000].reshape(40, 100).t() for t in pair(torch.float32))
b["strided"] = b["strided"].contiguous()
a["odd"], b["odd"] = pair(torch.float32)
a["odd"][5], b["odd"][5] = float("nan"), float("nan")
a["odd"][6], a["odd"][7], b["odd"][7] = float("nan"), float("inf"), float("-inf")
a["complex"], b["complex"] = torch.randn(50, dtype=torch.complex64), torch.randn(50, dtype=torch.complex64)
a["same"] = b["same"] = torch.randn(1000)
a["mixed"] = torch.randn(1000)
b["mixed"] = a["mixed"].to(torch.bfloat16)


def steps(x, y, kind):
    def ordered(t):
        bits = t.flatten().view(torch.uint8).numpy().view(kind).astype(object)
        least = int(numpy.iinfo(kind).min)
        return [int(v) if v >= 0 else least - int(v) for v in bits]

    return max(abs(p - q) for p, q in zip(ordered(x), ordered(y)))


def expected(x, y, rtol, atol):
    if x.is_complex():
        x, y = torch.view_as_real(x), torch.view_as_real(y)
    x, y = x.to(torch.float64).flatten(), y.to(torch.float64).flatten()
    finite = torch.isfinite(x) & torch.isfinite(y)
    apart = (x - y).abs()[finite]
    return {
        "differing": int((~torch.isclose(x, y, rtol=rtol, atol=atol, equal_nan=True)).sum()),
        "max": float(apart.max()), "mean": float(apart.mean()),
        "cosine": float(torch.nn.functional.cosine_similarity(x[finite], y[finite], dim=0, eps=1e-300)),
    }


with scratch() as name:
    folder = pathlib.Path(name)
    torch.save(a, folder / "a.pt")
    torch.save(b, folder / "b.pt")
    for rtol, atol in ((0, 0), (1e-3, 1e-4)):
        code, out, err = run(options.ckpt, "diff", folder / "a.pt", folder / "b.pt", "--json", "--rtol", rtol, "--atol", atol)
        tally.check(code == 1 and err == "", f"diff: {code} {err}")
        found = {}
        for difference in json.loads(out)["differences"]:
            if difference["what"] == "value":
                found[difference["path"]] = difference
        for key in a:
            due = expected(a[key], b[key], rtol, atol)
            if due["differing"] == 0:
                tally.check(key not in found, f"{key}: differs")
                continue
            if not tally.check(key in found, f"{key}: is equal"):
                continue
            for what, value in due.items():
                ours = found[key][what]
                tally.check(ours == value if what == "differing" else abs(ours - value) <= 1e-12 * max(1, abs(value)), f"{key}: {what} is {ours}, torch says {value}")
            if a[key].dtype in FLOATS and a[key].dtype == b[key].dtype and key not in ("large", "odd"):
                due = steps(a[key], b[key], FLOATS[a[key].dtype])
                tally.check(found[key]["ulp"] == due, f"{key}: {found[key]['ulp']} steps, not {due}")
        others = {(d["path"], d["what"]) for d in json.loads(out)["differences"]} - {(key, "value") for key in a}
        tally.check(others == {("strided", "stride"), ("mixed", "dtype")}, f"others: {others}")
    code, out, err = run(options.ckpt, "diff", folder / "a.pt", folder / "b.pt", "--json", "--values-only", "--ulp", 1)
    found = {d["path"] for d in json.loads(out)["differences"]}
    tally.check("mixed" not in found and "float32" in found, f"ulp: {found}")
    # Other layouts of the same values, Julia's column-major arrays among them.
    kept = {key: value for key, value in a.items() if value.dtype in (torch.float64, torch.float32, torch.float16, torch.int64, torch.uint8)}
    torch.save(kept, folder / "kept.pt")
    for extension in ("jld2", "h5", "ckpt", "safetensors", "npz"):
        code, out, err = run(options.ckpt, "convert", folder / "kept.pt", folder / f"kept.{extension}")
        tally.check(code == 0, f"convert to {extension}: {err}")
        code, out, err = run(options.ckpt, "diff", folder / "kept.pt", folder / f"kept.{extension}")
        tally.check(code == 0 and out.startswith("no differences"), f"{extension}: {code} {out}{err}")
        code, out, err = run(options.ckpt, "diff", folder / "b.pt", folder / f"kept.{extension}", "--json")
        tally.check(code == 1, f"{extension}: {code}")
    # Two native files say the digests of what they hold: nearly nothing is read.
    for index, codec in enumerate(("auto", "raw")):
        run(options.ckpt, "convert", folder / "a.pt", folder / f"{index}.ckpt", "--codec", codec)
    code, out, err = run(options.ckpt, "diff", folder / "0.ckpt", folder / "1.ckpt", "-v")
    tally.check(code == 0, f"native: {code} {out}")
    tally.check("KiB, written" in err, f"native files are read: {err}")
tally.finish()
