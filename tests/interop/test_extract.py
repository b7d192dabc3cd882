# `ckpt extract` and `convert --cast` beside torch: dtypes to the bit, names, views cut to what they use, averaged weights.
import collections
import pathlib
import re

import torch
from common import Tally, arguments, run, scratch

options = arguments()
tally = Tally("extract beside torch")
torch.manual_seed(7)
SHORT = {"bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32, "f64": torch.float64, "f8_e4m3": torch.float8_e4m3fn, "f8_e5m2": torch.float8_e5m2, "float8_e4m3fnuz": torch.float8_e4m3fnuz, "float8_e5m2fnuz": torch.float8_e5m2fnuz}
BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def same_bits(ours, due):
    """The same floats to the bit; NaNs are one."""
    if ours.dtype != due.dtype or ours.shape != due.shape:
        return False
    a, b = ours.contiguous().flatten(), due.contiguous().flatten()
    nan = torch.isnan(a.to(torch.float64)) & torch.isnan(b.to(torch.float64))
    if a.numel() == 0:
        return True
    kind = BITS[a.element_size()]
    return bool(((a.view(kind) == b.view(kind)) | nan).all())


def every_half():
    return torch.arange(-32768, 32768, dtype=torch.int32).to(torch.int16)


def middles(dtype):
    """Every number of a small dtype, the middles between neighbours, and what lies beside them, as float32."""
    bits = every_half().view(dtype) if dtype.itemsize == 2 else torch.arange(256, dtype=torch.int32).to(torch.uint8).view(dtype)
    numbers = bits.to(torch.float32)
    numbers = torch.sort(numbers[torch.isfinite(numbers)]).values
    halves = numbers[:-1] / 2 + numbers[1:] / 2
    up = torch.nextafter(halves, torch.tensor(torch.inf))
    down = torch.nextafter(halves, torch.tensor(-torch.inf))
    return torch.cat([numbers, halves, up, down])


sources = {
    "random": torch.randn(100003), "wide": torch.randn(50000) * torch.exp(torch.randn(50000) * 30), "bits": torch.randint(-(2**31), 2**31, (200000,)).to(torch.int32).view(torch.float32),
    "halves": every_half().view(torch.float16), "bfloats": every_half().view(torch.bfloat16), "doubles": torch.randn(30000, dtype=torch.float64) * torch.exp(torch.randn(30000, dtype=torch.float64) * 20),
    "odd": torch.tensor([0.0, -0.0, torch.inf, -torch.inf, torch.nan, 1e-45, 65504, 65519.9, 65520, -65520, 448, 464, 465, 3.4e38]), "empty": torch.zeros(0, 3), "scalar": torch.tensor(2.7182818),
    "e4m3": torch.arange(256, dtype=torch.int32).to(torch.uint8).view(torch.float8_e4m3fn), "e5m2": torch.arange(256, dtype=torch.int32).to(torch.uint8).view(torch.float8_e5m2),
}
for dtype in (torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2):
    sources["middles." + str(dtype)] = middles(dtype)
sources["strided"] = torch.randn(300, 200).t()
sources["tied"] = sources["random"][:]
kept = {"ints": torch.arange(1000), "flags": torch.rand(100) < 0.5, "complex": torch.randn(10, dtype=torch.complex64), "bytes": torch.arange(256, dtype=torch.int32).to(torch.uint8)}


def overflow(source, target):
    """How many finite numbers are finite no more, or no more what rounding would give them."""
    x = source.to(torch.float64).flatten()
    finite = torch.isfinite(x)
    if target == torch.float8_e4m3fn:
        return int((finite & (x.abs() > 464)).sum())
    return int((finite & ~torch.isfinite(source.flatten().to(target).to(torch.float64))).sum())


def check_casts(folder):
    torch.save({**sources, **kept}, folder / "a.pt")
    for short, dtype in SHORT.items():
        out = folder / f"{short}.pt"
        code, _, err = run(options.ckpt, "convert", folder / "a.pt", out, "--cast", short)
        if not tally.check(code == 0, f"{short}: {code} {err}"):
            continue
        found = torch.load(out)
        for key, source in sources.items():
            tally.check(same_bits(found[key], source.to(dtype)), f"{key} as {short}")
        for key, source in kept.items():
            tally.check(found[key].dtype == source.dtype and torch.equal(found[key], source), f"{key} is not kept in {short}")
        tally.check(found["strided"].stride() == (1, 200), f"strides in {short}: {found['strided'].stride()}")
        tally.check(found["tied"].data_ptr() == found["random"].data_ptr(), f"ties in {short}")
        said = {m[1]: int(m[2]) for m in re.finditer(r"'([^']*)': (\d+) of \d+ numbers are beyond", err)}
        due = {key: overflow(source, dtype) for key, source in sources.items() if key != "tied" and source.dtype != dtype}
        tally.check(said == {key: count for key, count in due.items() if count}, f"overflow to {short}: {said}, not {due}")
    code, _, err = run(options.ckpt, "extract", folder / "a.pt", "--select", "**", "--cast", "i32", "--cast-only", "ints", "--cast-only", "random", "-o", folder / "i.pt")
    found = torch.load(folder / "i.pt")
    tally.check(code == 0 and torch.equal(found["ints"], kept["ints"].to(torch.int32)) and torch.equal(found["random"], sources["random"].to(torch.int32)), f"integers: {code} {err}")
    tally.check(found["tied"].dtype == torch.float32, "a tied tensor that is not named is cast")
    code, _, err = run(options.ckpt, "convert", folder / "a.pt", folder / "x.pt", "--cast", "bf16", "--cast-only", "complex")
    tally.check(code == 5 and "complex" in err, f"complex by name: {code} {err}")
    # By way of other layouts.
    plain = {key: sources[key] for key in ("random", "strided", "halves", "scalar")}
    torch.save(plain, folder / "plain.pt")
    for extension in ("h5", "jld2", "ckpt", "safetensors"):
        code, _, err = run(options.ckpt, "convert", folder / "plain.pt", folder / f"p.{extension}")
        code, _, err = run(options.ckpt, "convert", folder / f"p.{extension}", folder / f"p.{extension}.pt", "--cast", "f16")
        found = torch.load(folder / f"p.{extension}.pt") if code == 0 else {}
        tally.check(code == 0 and all(same_bits(found[key], plain[key].to(torch.float16)) for key in plain), f"from {extension}: {code} {err}")
        code, _, err = run(options.ckpt, "convert", folder / "plain.pt", folder / f"q.{extension}", "--cast", "f16")
        code, _, err = run(options.ckpt, "convert", folder / f"q.{extension}", folder / f"q.{extension}.pt")
        found = torch.load(folder / f"q.{extension}.pt") if code == 0 else {}
        tally.check(code == 0 and all(same_bits(found[key], plain[key].to(torch.float16)) for key in plain), f"to {extension}: {code} {err}")


def check_names(folder):
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    due = module.state_dict()

    def saved(name, prefix):
        state = collections.OrderedDict((prefix + key, value) for key, value in due.items())
        state._metadata = collections.OrderedDict([("", {"version": 1})] + [((prefix + key).rstrip("."), value) for key, value in due._metadata.items()])
        torch.save({"model": state, "epoch": 3}, folder / name)

    for prefix in ("module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "module.module."):
        saved("p.pt", prefix)
        code, _, err = run(options.ckpt, "extract", folder / "p.pt", "--model-only", "--strip-prefix", "-o", folder / "q.pt", "--overwrite")
        found = torch.load(folder / "q.pt")
        tally.check(code == 0 and f"'{prefix}' is taken off 7 names" in err and list(found) == list(due), f"{prefix}: {code} {err} {list(found)}")
        tally.check({k: v for k, v in found._metadata.items()} == {k: v for k, v in due._metadata.items()}, f"{prefix}: {found._metadata}")
        fresh = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
        fresh.load_state_dict(found)
        tally.check(all(torch.equal(a, b) for a, b in zip(fresh.state_dict().values(), due.values())), f"{prefix}: values")
    saved("p.pt", "")
    code, _, err = run(options.ckpt, "extract", folder / "p.pt", "--role", "model", "--add-prefix", "net.", "--rename", r"s/^0\.(.*)/fc.\1/", "--rename", "s/running/moving/g", "-o", folder / "r.pt")
    found = torch.load(folder / "r.pt")
    wanted = ["net." + re.sub(r"^0\.", "fc.", key).replace("running", "moving") for key in due]
    tally.check(code == 0 and list(found["model"]) == wanted, f"renamed: {code} {err} {list(found['model'])}")
    code, _, err = run(options.ckpt, "extract", folder / "p.pt", "--model-only", "--rename", "s/weight|bias/x/", "-o", folder / "s.pt")
    tally.check(code == 5 and "'0.x' (of '0.weight' '0.bias')" in err and not (folder / "s.pt").exists(), f"collision: {code} {err}")
    torch.save({"module.a": torch.ones(2), "a": torch.ones(2)}, folder / "c.pt")
    code, _, err = run(options.ckpt, "extract", folder / "c.pt", "--model-only", "--strip-prefix", "module.", "-o", folder / "s.pt")
    tally.check(code == 5 and "would come out the same" in err, f"collision of prefixes: {code} {err}")
    torch.save({"module.a": torch.ones(2), "b": torch.ones(2), "modules.c": torch.ones(2)}, folder / "c.pt")
    code, _, err = run(options.ckpt, "extract", folder / "c.pt", "--model-only", "--strip-prefix", "module.", "-o", folder / "s.pt")
    tally.check(code == 0 and list(torch.load(folder / "s.pt")) == ["module.a", "b", "modules.c"] and "2 names do not begin with it" in err, f"not shared: {code} {err}")


def check_views(folder):
    big = torch.randn(1000, 1000)
    state = {"row": big[3], "block": big[10:12, 5:9], "again": big[3], "other": torch.randn(5), "tail": big[-1, -7:], "empty": big[0:0]}
    torch.save({"model": state, "optimizer": {"whole": big}}, folder / "v.pt")
    code, _, err = run(options.ckpt, "extract", folder / "v.pt", "--model-only", "-o", folder / "w.pt")
    found = torch.load(folder / "w.pt")
    tally.check(code == 0 and all(torch.equal(found[key], state[key]) for key in state), f"cut: {code} {err}")
    tally.check((folder / "w.pt").stat().st_size < 20000 and "3.8 MiB of 1 storages are left out" in err, f"not cut: {(folder / 'w.pt').stat().st_size} {err}")
    tally.check(found["row"].data_ptr() == found["again"].data_ptr() and found["block"].stride() == (1000, 1), "cut: ties or strides")
    code, _, err = run(options.ckpt, "extract", folder / "v.pt", "--model-only", "--contiguous", "-o", folder / "x.pt")
    found = torch.load(folder / "x.pt")
    tally.check(code == 0 and all(torch.equal(found[key], state[key]) and found[key].is_contiguous() for key in state), f"contiguous: {code} {err}")
    tally.check(found["row"].data_ptr() == found["again"].data_ptr() and found["block"].untyped_storage().nbytes() == 32, "contiguous: ties or sizes")
    flat = torch.randn(100)
    torch.save({"a": flat[:50], "b": flat[50:]}, folder / "f.pt")
    code, _, err = run(options.ckpt, "extract", folder / "f.pt", "--model-only", "-o", folder / "g.pt")
    found = torch.load(folder / "g.pt")
    tally.check(code == 0 and err == "" and found["a"].untyped_storage().data_ptr() == found["b"].untyped_storage().data_ptr(), f"a storage in use from end to end: {err}")


def check_averages(folder):
    model = torch.nn.Linear(3, 2)
    averaged = torch.optim.swa_utils.AveragedModel(model)
    with torch.no_grad():
        model.weight.add_(1)
    averaged.update_parameters(model)
    torch.save({"model": model.state_dict(), "ema": averaged.state_dict(), "epoch": 3}, folder / "e.pt")
    code, _, err = run(options.ckpt, "extract", folder / "e.pt", "--ema", "-o", folder / "ema.pt")
    found = torch.load(folder / "ema.pt") if code == 0 else {}
    tally.check(code == 0 and list(found) == ["weight", "bias"] and torch.equal(found["weight"], averaged.module.weight), f"ema: {code} {err} {list(found)}")
    weights, trained = {"w": torch.ones(2)}, {"w": torch.zeros(2)}
    for key, whole in {
        "timm": {"state_dict": trained, "state_dict_ema": weights, "epoch": 1},
        "callback": {"state_dict": trained, "pytorch-lightning_version": "2.5.0", "epoch": 3, "global_step": 10, "callbacks": {"EMA": {"ema_state_dict": weights, "decay": 0.99}}, "optimizer_states": [], "loops": {}},
        "averaging": {"state_dict": weights, "current_model_state": trained, "pytorch-lightning_version": "2.6.0", "epoch": 3, "global_step": 10, "callbacks": {}, "optimizer_states": [], "loops": {}},
        "model_ema": {"model": trained, "model_ema": weights, "epoch": 1},
    }.items():
        torch.save(whole, folder / f"{key}.pt")
        code, _, err = run(options.ckpt, "extract", folder / f"{key}.pt", "--ema", "-o", folder / "w.pt", "--overwrite")
        tally.check(code == 0 and torch.equal(torch.load(folder / "w.pt")["w"], weights["w"]), f"{key}: {code} {err}")
    torch.save({"model": model.state_dict(), "epoch": 3}, folder / "n.pt")
    code, _, err = run(options.ckpt, "extract", folder / "n.pt", "--ema", "-o", folder / "none.pt")
    tally.check(code == 1 and "no averaged weights" in err, f"no ema: {code} {err}")


for part in (check_casts, check_names, check_views, check_averages):
    with scratch() as name:
        part(pathlib.Path(name))
tally.finish()
