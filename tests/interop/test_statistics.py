# `inspect --stats` and `verify --values` beside what torch computes in float64.
import json
import math
import pathlib

import torch
from common import Tally, arguments, run, scratch

options = arguments()
tally = Tally("statistics of tensors beside torch's")
torch.manual_seed(3)
FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2)
tensors = {}
for dtype in FLOATS:
    name = str(dtype).removeprefix("torch.")
    tensors[name] = torch.randn(70001).to(dtype)
    tensors[f"{name}.small"] = (torch.randn(300, 301) * torch.finfo(dtype).tiny).to(dtype).t()
    odd = torch.randn(5, 200000)[:, ::7].to(dtype)
    odd[0, 3], odd[4, 1] = math.nan, math.nan
    if torch.isinf(torch.tensor(math.inf).to(dtype).to(torch.float64)):
        odd[2, 5] = -math.inf
    tensors[f"{name}.odd"] = odd
for dtype in (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8):
    tensors[str(dtype)] = torch.randint(0, 100, (70001,)).to(dtype)
tensors["bool"] = torch.rand(1000) < 0.3
tensors["complex"] = torch.randn(1000, dtype=torch.complex64)
tensors["empty"] = torch.zeros(0, 3)
tensors["scalar"] = torch.tensor(2.5)


def expected(tensor):
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    dtype = tensor.dtype
    values = tensor.to(torch.float64).flatten()
    finite = values[torch.isfinite(values)]
    due = {"nan": int(torch.isnan(values).sum()), "inf": int(torch.isinf(values).sum()), "zeros": int((finite == 0).sum())}
    due["denormals"] = int(((finite != 0) & (finite.abs() < torch.finfo(dtype).tiny)).sum()) if dtype.is_floating_point else 0
    if len(finite):
        due.update(min=float(finite.min()), max=float(finite.max()), mean=float(finite.mean()), std=float(finite.std(correction=0)), norm=float(finite.norm()))
    else:
        due.update(min=None, max=None, mean=None, std=None, norm=None)
    return due


with scratch() as name:
    path = pathlib.Path(name) / "a.pt"
    torch.save(tensors, path)
    code, out, err = run(options.ckpt, "inspect", "--stats", "--json", path)
    tally.check(code == 0 and err == "", f"inspect: {code} {err}")
    found = {entry["path"]: entry["stats"] for entry in json.loads(out)["entries"] if "stats" in entry}
    tally.check(found.keys() == tensors.keys(), f"{found.keys() ^ tensors.keys()}")
    for key, tensor in tensors.items():
        due = expected(tensor)
        for what, value in due.items():
            ours = found[key][what]
            near = ours == value if not isinstance(value, float) else ours is not None and math.isclose(ours, value, rel_tol=1e-12, abs_tol=1e-12 * abs(due["norm"]))
            tally.check(near, f"{key}: {what} is {ours}, torch says {value}")
    code, out, err = run(options.ckpt, "verify", "--values", "--json", path)
    damaged = {f["path"] for f in json.loads(out)["checkpoints"][0]["findings"] if f["severity"] == "damage"}
    tally.check(code == 1 and damaged == {key for key in tensors if key.endswith(".odd")}, f"verify: {code} {damaged}")
tally.finish()
