# .pt -> .h5 -> .pt as torch and h5py see it, and rewriting byte for byte.
import math
import pathlib
import subprocess
import sys

import h5py
import numpy as np
import torch

from common import DATA, FIXTURES, Tally, arguments, run, scratch, stub_module
from same import differences

options = arguments()
tally = Tally("torch")
stubs = stub_module()


def load(path):
    return torch.load(path, map_location="cpu", weights_only=False, pickle_module=stubs)


def make_samples(folder):
    """Files of this torch, made here."""
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 2))
    model[2].weight = torch.nn.Parameter(model[0].weight[:2].detach())
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.randn(4, 8)).sum().backward()
    optimizer.step()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, folder / "adamw.pt")
    payloads = torch.tensor([0x7FC00001, 0x7F800001, -4194303, 0x7FBFFFFF], dtype=torch.int32).view(torch.float32)
    base = torch.arange(60.0)
    torch.save({"nan": payloads, "view": base[3:20:2], "transposed": base.view(6, 10).t(), "tied": [base, base],
                1: "integer key", None: 2, (1, "x"): 3, True: "truth", "": {"a/b": [], ".": {}, "..": torch.zeros(0, 3)},
                "bf16": torch.randn(5).bfloat16(), "f8": torch.randn(5).to(torch.float8_e4m3fn), "big": 2**200, "inf": -math.inf,
                "text\0nul": "a\0b", "c": torch.randn(3, dtype=torch.complex64), "scalar": torch.tensor(2.5)}, folder / "mixed.pt")
    torch.save([torch.randn(100, 100) for _ in range(300)], folder / "many.pt")


def h5_agrees(path, loaded):
    """h5py finds each tensor of a tree of dicts under the same names with the same values."""
    problems = []
    with h5py.File(path) as file:
        seen = set()

        def visit(group, value, where):
            if id(value) in seen:  # a dict may hold itself
                return
            seen.add(id(value))
            for key, item in value.items():
                if not isinstance(key, str) or key in ("", ".", "..") or "/" in key or "\0" in key or key.startswith("ckpt:"):
                    continue
                if key not in group:
                    problems.append(f"{where}/{key} is not there")
                elif isinstance(item, dict):
                    visit(group[key], item, f"{where}/{key}")
                elif isinstance(item, torch.Tensor) and item.layout is torch.strided and not item.is_quantized and not item.is_meta and not item.is_nested \
                        and not isinstance(item, torch.nn.parameter.UninitializedTensorMixin):
                    found = group[key]
                    if found.shape != tuple(item.shape):
                        problems.append(f"{where}/{key} has shape {found.shape}")
                        continue
                    item = item.detach().resolve_conj().resolve_neg()
                    if item.dtype is torch.bfloat16:
                        item = item.float()
                    if "float8" in str(item.dtype) or "float4" in str(item.dtype) or "bits" in str(item.dtype) or str(item.dtype) in ("torch.complex32", "torch.bcomplex32"):
                        continue
                    here, there = item.numpy(), found[()]
                    if np.asarray(there).astype(here.dtype).tobytes() != np.ascontiguousarray(here).tobytes() and not np.array_equal(here, there, equal_nan=here.dtype.kind in "fc"):
                        problems.append(f"{where}/{key} has other values")
                elif isinstance(item, bool) or item is None:
                    pass
                elif isinstance(item, (int, float)) and type(item) in (int, float) and -2**63 <= item < 2**64 or isinstance(item, float):
                    found = group[key][()]
                    if found != item and not (item != item and found != found):
                        problems.append(f"{where}/{key} is {found!r}, not {item!r}")
                elif isinstance(item, str) and "\0" not in item:
                    try:
                        item.encode()
                    except UnicodeEncodeError:
                        continue
                    if group[key].asstr()[()] != item:
                        problems.append(f"{where}/{key} has another text")
        if isinstance(loaded, dict):
            visit(file, loaded, "")
    return problems


HAS_HDF5 = '"hdf5"' in run(options.ckpt, "formats", "--json")[1]


def round_trip(path, name, folder):
    if not HAS_HDF5:
        return tally.skip("this build has no hdf5 layout")
    h5, back = folder / "b.h5", folder / "c.pt"
    for old in (h5, back):
        old.unlink(missing_ok=True)
    code, out, err = run(options.ckpt, "convert", path, h5)
    if not tally.check(code == 0 and out == "", f"{name}: convert to .h5 exits with {code}: {err.strip()[:300]}"):
        return
    dump = subprocess.run(["h5dump", "-H", str(h5)], capture_output=True)
    tally.check(dump.returncode == 0 and not dump.stderr, f"{name}: h5dump: {dump.stderr[:200]!r}")
    code, out, err = run(options.ckpt, "convert", h5, back)
    if not tally.check(code == 0 and out == "", f"{name}: convert back exits with {code}: {err.strip()[:300]}"):
        return
    try:
        a = load(path)
    except Exception as error:
        tally.skip(f"torch cannot load it here: {type(error).__name__}")
        return
    found = differences(a, load(back))
    tally.check(not found, f"{name}: " + "; ".join(found))
    problems = h5_agrees(h5, a)
    tally.check(not problems, f"{name}: h5py: " + "; ".join(problems[:4]))


def tensors_in(value):
    """All tensors below a stub object."""
    todo, seen = [value], []
    while todo:
        item = todo.pop()
        if isinstance(item, torch.Tensor):
            seen.append(item)
        elif isinstance(item, dict):
            todo.extend(item.values())
            todo.extend([getattr(item, "state", None), getattr(item, "listed", None)])
        elif isinstance(item, (list, tuple)):
            todo.extend(item)
    return seen


def rewrite(path, name, folder, same):
    back = folder / ("r" + path.name)
    back.unlink(missing_ok=True)
    code, out, err = run(options.ckpt, "convert", path, back, "--to", "torch")
    if not tally.check(code == 0, f"{name}: rewriting exits with {code}: {err.strip()[:300]}"):
        return
    if same:
        tally.check(path.read_bytes() == back.read_bytes(), f"{name}: rewritten, it is another file")
        return
    if "torchscript" in name:  # comes out as a plain archive: its tensors load, its code is gone
        wanted = {bytes(t.contiguous().untyped_storage()) for t in torch.jit.load(path).state_dict().values()}
        found = {bytes(t.untyped_storage()) for t in tensors_in(load(back))}
        tally.check(wanted <= found, f"{name}: rewritten, tensors are missing")
        return
    try:
        a = load(path)
    except Exception as error:
        tally.skip(f"torch cannot load it here: {type(error).__name__}")
        return
    found = differences(a, load(back))
    tally.check(not found, f"{name}: rewritten: " + "; ".join(found))


sys.setrecursionlimit(100000)
with scratch() as name:
    folder = pathlib.Path(name)
    make_samples(folder)
    old = subprocess.run(["/usr/bin/python3", str(pathlib.Path(__file__).with_name("make_torch_1_13.py")), str(folder)], capture_output=True, text=True)
    if old.returncode != 0:
        tally.skip("Debian's python3-torch does not run here: " + (old.stderr.strip().splitlines() or ["?"])[-1])
    samples = sorted(folder.glob("*.pt")) + sorted(DATA.rglob("*.pt"))
    for path in samples:
        if "bad" in path.parts or "legacy" in path.name or "package" in path.name:
            continue
        if "torchscript" not in path.name:
            round_trip(path, path.name, folder)
        rewrite(path, path.name, folder, not path.name.startswith("old_") and "by_version" not in str(path) and path.parent.name in ("run", folder.name))
    if FIXTURES.is_dir():
        for path in sorted((FIXTURES / "torch").rglob("*.pt")):
            short = str(path.relative_to(FIXTURES))
            if path.parent.name == "bad" or "legacy" in path.name or "package" in path.name:
                continue
            if "torchscript" not in path.name:
                round_trip(path, short, folder)
            rewrite(path, short, folder, "torchscript" not in path.name and not any(f"/{v}/" in str(path) for v in ("1.13", "2.2", "2.6")))
    else:
        tally.skip("the fixture collection is not beside the repository")
tally.finish()
