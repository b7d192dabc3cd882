# `ckpt merge` of weights beside the same computed by torch in float64: to half a unit in the last place of the output's dtype.
import math
import pathlib

import torch
from common import Tally, arguments, run, scratch

options = arguments()
tally = Tally("weights combined beside torch")
torch.manual_seed(11)
FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn)
MANTISSA = {torch.float64: 52, torch.float32: 23, torch.float16: 10, torch.bfloat16: 7, torch.float8_e4m3fn: 3, torch.float8_e5m2: 2}


def state(k):
    """Like weights, some of them where their base has them."""
    base = torch.Generator().manual_seed(1)
    own = torch.Generator().manual_seed(100 + k)
    result = {}
    for dtype in FLOATS:
        name = str(dtype).removeprefix("torch.")
        shared = torch.randn(5000, generator=base)
        delta = torch.randn(5000, generator=own) * 0.1 * (k > 0)
        result[name] = (shared + delta).to(dtype)
    result["matrix"] = (torch.randn(60, 40, generator=base) + torch.randn(60, 40, generator=own) * 0.1 * (k > 0)).t()
    result["large"] = torch.randn(1300, 1001, generator=base) + torch.randn(1300, 1001, generator=own) * 0.1 * (k > 0)
    result["scalar"] = torch.tensor(1.5 + k)
    result["empty"] = torch.zeros(0, 4)
    result["complex"] = torch.randn(100, dtype=torch.complex64, generator=base) * (1 + k)
    result["count"] = torch.tensor(10 * k)
    result["tied"] = result["large"].view(-1)[:1001]
    return result


def within_half(ours, due, what, slack=1e-6):
    """No further from the float64 result than half a step of its dtype, at its place."""
    if ours.is_complex():
        ours, due = torch.view_as_real(ours), torch.view_as_real(due)
    bits = MANTISSA[ours.dtype]
    due = due.to(torch.float64).flatten()
    ours = ours.to(torch.float64).flatten()
    if due.numel() == 0:
        return tally.check(ours.numel() == 0, what)
    least = {52: -1022, 23: -126, 10: -14, 7: -126, 3: -6, 2: -14}[bits]
    exponent = torch.floor(torch.log2(due.abs().clamp(min=2.0**least))).clamp(min=least)
    if bits == 52:  # the precision of both: sums in another order differ in their last places
        return tally.check(bool(((ours - due).abs() <= 1e-15 * due.abs().max()).all()), what)
    off = ((ours - due).abs() / torch.exp2(exponent - bits)).max()
    return tally.check(bool(off <= 0.5 * (1 + slack)), f"{what}: {float(off)} steps off")


def same(one, other):
    return all(torch.equal(f64(one[key]), f64(other[key])) for key in one)


def f64(tensor):
    return tensor.to(torch.complex128 if tensor.is_complex() else torch.float64)


def mean(tensors, weights):
    return sum(w * f64(t) for w, t in zip(weights, tensors)) / sum(weights)


def topk(delta, density):
    if density >= 1:
        return delta
    k = max(1, int(density * delta.numel()))
    order = torch.argsort(delta.abs().flatten(), descending=True, stable=True)[:k]
    mask = torch.zeros(delta.numel(), dtype=torch.float64)
    mask[order] = 1
    return delta * mask.reshape(delta.shape)


def tasks(base, tensors, weights, scale=1.0, density=1.0, elects=False, normalizes=False):
    deltas = [w * topk(f64(t) - f64(base), density) for w, t in zip(weights, tensors)]
    total = sum(deltas)
    if elects:
        sign = torch.where(total >= 0, 1.0, -1.0)
        masks = [torch.sign(d) == sign for d in deltas]
        total = sum(d * m for d, m in zip(deltas, masks))
        divisor = sum(w * m.to(torch.float64) for w, m in zip(weights, masks))
        if normalizes:
            total = total / torch.where(divisor == 0, 1.0, divisor)
    return f64(base) + scale * total


def slerp(a, b, t):
    a, b = f64(a), f64(b)
    dot = float((a * b).sum() / (a.norm() * b.norm())) if a.numel() else 1.0
    if not abs(dot) <= 0.9995:
        return (1 - t) * a + t * b
    angle = math.acos(dot)
    return math.sin((1 - t) * angle) / math.sin(angle) * a + math.sin(t * angle) / math.sin(angle) * b


with scratch() as name:
    folder = pathlib.Path(name)
    states = [state(k) for k in range(5)]
    for k, values in enumerate(states):
        torch.save(values, folder / f"epoch={k}.pt")
    files = [folder / f"epoch={k}.pt" for k in range(5)]

    def merged(*args, code=0):
        out = folder / "out.pt"
        found, _, err = run(options.ckpt, "merge", *args, "-o", out, "--overwrite")
        if not tally.check(found == code, f"{args}: {found} {err}"):
            return {}, err
        return (torch.load(out) if code == 0 else {}), err

    def check(args, formula, what, real_only=False):
        found, err = merged(*args)
        for key in [k for k in states[0] if found]:
            inputs = [s[key] for s in states]
            if key == "count":
                tally.check(found[key].dtype == torch.int64 and torch.equal(found[key], formula(None)[key]), f"{what}: count is {found[key]}")
            elif not (real_only and inputs[0].is_complex()):
                tally.check(found[key].dtype == inputs[0].dtype, f"{what}: {key} is {found[key].dtype}")
                within_half(found[key], formula(inputs), f"{what}: {key}")
        return found, err

    newest = lambda k: (lambda inputs, rule: states[k] if inputs is None else rule(inputs))
    found, err = check(files[1:4], lambda i, n=newest(3): n(i, lambda x: mean(x[1:4], [1] * 3)), "average")
    tally.check("11 tensors are combined; 1 other tensors and 0 other values are those of" in err, f"said: {err}")
    tally.check(found["tied"].data_ptr() == found["large"].data_ptr() or torch.equal(found["tied"], found["large"].view(-1)[:1001]), "ties")
    tally.check(found["matrix"].stride() == (1, 40), f"strides {found['matrix'].stride()}")
    tally.check(torch.equal(found["float64"], sum(s["float64"] for s in states[1:4]) / 3), "float64 to the bit")
    check([*files[1:3], "--weights", "0.25,0.75"], lambda i, n=newest(2): n(i, lambda x: mean(x[1:3], [0.25, 0.75])), "weights")
    check([*files[1:3], "--average", "--weights", "1,3"], lambda i, n=newest(2): n(i, lambda x: mean(x[1:3], [1, 3])), "weights that are normalized")
    check([*files, "--ema", "0.9"], lambda i, n=newest(4): n(i, lambda x: mean(x, [0.9**4] + [0.1 * 0.9 ** (3 - k) for k in range(4)])), "ema")
    check([folder, "--last", 3, "--up-to", 3], lambda i, n=newest(3): n(i, lambda x: mean(x[1:4], [1] * 3)), "last")
    check([*files[1:4], "--base", files[0], "--task-arithmetic", "--weights", "0.5,-0.25,1", "--lambda", "0.7"], lambda i, n=newest(3): n(i, lambda x: tasks(x[0], x[1:4], [0.5, -0.25, 1], 0.7)), "task arithmetic")
    check([*files[1:4], "--base", files[0], "--ties", "--density", "0.3", "--weights", "1,0.5,2"], lambda i, n=newest(3): n(i, lambda x: tasks(x[0], x[1:4], [1, 0.5, 2], 1, 0.3, True, True)), "ties", True)
    check([*files[1:4], "--base", files[0], "--ties"], lambda i, n=newest(3): n(i, lambda x: tasks(x[0], x[1:4], [1, 1, 1], 1, 1, True, True)), "ties of all", True)
    check([*files[1:3], "--slerp", "0.3"], lambda i, n=newest(2): n(i, lambda x: slerp(x[1], x[2], 0.3)), "slerp", True)
    check([files[4], "--base", files[0], "--slerp", "0.6"], lambda i, n=newest(4): n(i, lambda x: slerp(x[0], x[4], 0.6)), "slerp from the base", True)
    torch.save({"a": torch.tensor([1.0, 0.0, 0.2]), "zero": torch.zeros(3)}, folder / "a.pt")
    torch.save({"a": torch.tensor([0.0, 1.0, -0.1]), "zero": torch.zeros(3)}, folder / "b.pt")
    found, err = merged(folder / "a.pt", folder / "b.pt", "--slerp", "0.25")
    within_half(found["a"], slerp(torch.tensor([1.0, 0.0, 0.2]), torch.tensor([0.0, 1.0, -0.1]), 0.25), "a wide arc")

    # Random: the same for a seed on any number of threads, and each difference is 0 or made larger by 1 / density.
    args = [*files[1:3], "--base", files[0], "--dare", "--density", "0.25"]
    found, _ = merged(*args, "--seed", 5)
    again, _ = merged(*args, "--seed", 5, "-j", 1)
    other, _ = merged(*args, "--seed", 6)
    tally.check(same(found, again), "the same seed")
    tally.check(not torch.equal(found["large"], other["large"]), "another seed")
    base, one, two = (f64(states[k]["large"]) for k in (0, 1, 2))
    delta = f64(found["large"]) - base
    choices = torch.stack([torch.zeros_like(base), (one - base) / 0.25, (two - base) / 0.25, (one - base) / 0.25 + (two - base) / 0.25])
    tally.check(bool(((delta - choices).abs().min(dim=0).values < 1e-6).all()), "dare: differences")
    share = [float(((delta - c).abs() < 1e-6).to(torch.float64).mean()) for c in choices]
    tally.check(all(abs(s - due) < 0.005 for s, due in zip(share, (0.5625, 0.1875, 0.1875, 0.0625))), f"dare: shares {share}")
    found, _ = merged(*files[1:3], "--base", files[0], "--dare", "--ties", "--density", "1")
    within_half(found["large"], tasks(states[0]["large"], [states[1]["large"], states[2]["large"]], [1, 1], 1, 1, True, False), "dare with ties")

    # Rounded once, to the output's dtype; by way of other layouts; in float32.
    found, err = merged(*files[1:4], "--cast", "bf16")
    within_half(found["large"], mean([s["large"] for s in states[1:4]], [1] * 3), "average as bfloat16")
    tally.check(found["large"].dtype == torch.bfloat16 and found["count"].dtype == torch.int64, "cast dtypes")
    found, err = merged(*files[1:4], "--fast")
    tally.check(torch.allclose(found["large"], sum(s["large"] for s in states[1:4]) / 3, rtol=3e-7, atol=1e-7), "fast")
    for extension in ("ckpt", "h5", "jld2", "safetensors"):
        kept = {key: states[2][key].contiguous() for key in ("float32", "float16", "large", "scalar")}
        torch.save(kept, folder / "kept.pt")
        run(options.ckpt, "convert", folder / "kept.pt", folder / f"k.{extension}")
        torch.save({key: states[1][key].contiguous() for key in kept}, folder / "other.pt")
        found, err = merged(folder / f"k.{extension}", folder / "other.pt")
        for key in kept:
            within_half(found[key], mean([states[1][key], states[2][key]], [1, 1]), f"with {extension}: {key}")
    found, err = merged(*files[1:4], "--average-also", "count")
    tally.check(int(found["count"]) == 20, f"counts by name: {found.get('count')}")

    # Whole checkpoints: models are averaged, the rest is that of the newest.
    def checkpoint(k):
        model = {"w": states[k]["large"], "n": torch.tensor(k)}
        return {"model": model, "optimizer": {"state": {0: {"exp_avg": states[k]["float32"]}}, "param_groups": [{"lr": 0.1 / (k + 1), "params": [0]}]}, "epoch": k, "log": [1.0] * k}

    for k in range(3):
        torch.save(checkpoint(k), folder / f"c{k}.pt")
    found, err = merged(*(folder / f"c{k}.pt" for k in range(3)), "--average-also", "epoch")
    within_half(found["model"]["w"], mean([s["large"] for s in states[:3]], [1] * 3), "the model of a checkpoint")
    tally.check(torch.equal(found["optimizer"]["state"][0]["exp_avg"], states[2]["float32"]) and found["epoch"] == 1 and found["log"] == [1.0, 1.0] and int(found["model"]["n"]) == 2, f"the rest of a checkpoint: {err}")
    tally.check("1 tensors are combined; 2 other tensors" in err, f"said: {err}")

    # What does not go together.
    torch.save({"w": torch.ones(2, 3), "v": torch.ones(2), "only": torch.ones(1)}, folder / "x.pt")
    torch.save({"w": torch.ones(3, 2), "v": torch.ones(2).half(), "more": torch.ones(1)}, folder / "y.pt")
    found, err = merged(folder / "x.pt", folder / "y.pt", code=5)
    lines = [line for line in err.splitlines() if "'" in line]
    tally.check(len(lines) == 4 and all(any(f"'{key}'" in line for line in lines) for key in ("w", "v", "only", "more")), f"mismatches: {err}")

    # Parts of several.
    torch.save({"model": {"w": torch.ones(2)}, "epoch": 3}, folder / "m.pt")
    torch.save({"optimizer": {"s": torch.zeros(2)}, "epoch": 3}, folder / "o.pt")
    torch.save({"optimizer": {"s": torch.ones(2)}, "epoch": 4}, folder / "p.pt")
    found, err = merged("--union", folder / "m.pt", folder / "o.pt")
    tally.check(list(found) == ["model", "epoch", "optimizer"] and found["epoch"] == 3, f"union: {found}")
    found, err = merged("--union", folder / "m.pt", folder / "o.pt", folder / "p.pt", code=5)
    tally.check("'epoch' is not the same" in err and "'optimizer/s' is not the same" in err, f"conflicts: {err}")
    for prefer, due in (("first", 0.0), ("last", 1.0)):
        found, err = merged("--union", folder / "m.pt", folder / "o.pt", folder / "p.pt", "--prefer", prefer)
        tally.check(float(found["optimizer"]["s"][0]) == due and found["epoch"] == 3 + due, f"prefer {prefer}: {found}")
tally.finish()
