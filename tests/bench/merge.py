# Times of `merge` and of casts beside torch's own, and of `extract` beside cp. Nothing here decides a test.
import argparse
import os
import pathlib
import shutil
import subprocess
import tempfile

import torch
from bench import copy_and_sync, job, peer

SIDE = 4096


def make_models(folder, count, megabytes):
    paths = []
    for k in range(count):
        torch.manual_seed(k)
        layers = max(1, megabytes * (1 << 20) // (4 * SIDE * SIDE))
        paths.append(folder / f"model-{k}.pt")
        torch.save({f"layers.{i}.weight": torch.randn(SIDE, SIDE) for i in range(layers)}, paths[-1])
    return paths


def torch_average(paths, target):
    states = [torch.load(path, weights_only=True) for path in paths]
    torch.save({key: (sum(state[key].to(torch.float64) for state in states) / len(states)).to(torch.float32) for key in states[0]}, target)


def torch_average_in_float32(paths, target):
    states = [torch.load(path, weights_only=True, mmap=True) for path in paths]
    torch.save({key: sum(state[key] for state in states) / len(states) for key in states[0]}, target)


def torch_ties(paths, target, density):
    base, *others = [torch.load(path, weights_only=True) for path in paths]
    merged = {}
    for key, origin in base.items():
        deltas = []
        for other in others:
            delta = other[key] - origin
            kept = torch.topk(delta.abs().flatten(), int(density * delta.numel())).indices
            mask = torch.zeros(delta.numel(), dtype=torch.bool)
            mask[kept] = True
            deltas.append(torch.where(mask.reshape(delta.shape), delta, 0))
        stacked = torch.stack(deltas)
        agrees = torch.sign(stacked) == torch.where(stacked.sum(0) >= 0, 1, -1)
        merged[key] = origin + (stacked * agrees).sum(0) / agrees.sum(0).clamp(min=1)
    torch.save(merged, target)


def torch_cast(path, target):
    torch.save({key: value.to(torch.bfloat16) for key, value in torch.load(path, weights_only=True).items()}, target)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ckpt", required=True)
    parser.add_argument("--megabytes", type=int, default=512)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    ckpt = os.path.abspath(options.ckpt)
    with tempfile.TemporaryDirectory(prefix="ckpt-bench-", dir=os.environ.get("TMPDIR")) as name:
        folder = pathlib.Path(name)
        models = make_models(folder, 4, options.megabytes)
        out, other, copy = folder / "out.pt", folder / "other.pt", folder / "copy.pt"
        print(f"4 models of {models[0].stat().st_size / 1e6:.0f} MB; medians of {options.runs} runs, in turn")
        print(f"{'':28} {'ckpt':>10}  {'other':>10}  {'ratio':>6}  {'peak':>11}")
        merge = [ckpt, "merge", *models, "-o", out, "-q"]
        job("average of 4", options.runs, merge, peer(torch_average, models, other), [out, other], "against torch in float64")
        job("", options.runs, [*merge, "--fast"], peer(torch_average_in_float32, models, other), [out, other], "--fast, against torch in float32 with mmap")
        ties = [ckpt, "merge", *models[1:], "--base", models[0], "--ties", "--density", "0.2", "-o", out, "-q"]
        job("ties of 3", 1, ties, peer(torch_ties, models, other, 0.2), [out, other], "against torch in float32")
        job("convert --cast bf16", options.runs, [ckpt, "convert", models[0], out, "--cast", "bf16", "-q"], peer(torch_cast, models[0], other), [out, other], "against torch")
        subprocess.run([ckpt, "convert", "-q", str(models[0]), str(out), "--cast", "bf16", "--overwrite"], check=True)
        shutil.copy(out, copy)
        job("", options.runs, [ckpt, "convert", models[0], out, "--cast", "bf16", "-q"], copy_and_sync(copy, other), [out, other], "against cp + sync of its result")


if __name__ == "__main__":
    main()
