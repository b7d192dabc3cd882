# Times of the main jobs as ratios against `cp` + `sync`, and beside torch's and h5py's own. Nothing here decides a test.
import argparse
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import h5py
import torch


def make_checkpoint(path, megabytes):
    """A model and its Adam state: three tensors of equal size for each parameter."""
    torch.manual_seed(0)
    hidden = 2048
    layers = max(1, megabytes * (1 << 20) // (3 * 4 * hidden * hidden))
    model = {f"layers.{i}.weight": torch.randn(hidden, hidden) * 0.02 for i in range(layers)}
    state = {i: {"step": torch.tensor(1.0), "exp_avg": torch.randn(hidden, hidden) * 1e-4, "exp_avg_sq": torch.rand(hidden, hidden) * 1e-8}
             for i in range(layers)}
    groups = [{"lr": 1e-3, "betas": (0.9, 0.999), "params": list(range(layers))}]
    torch.save({"model": model, "optimizer": {"state": state, "param_groups": groups}, "epoch": 1}, path)


def clean(*paths):
    for path in paths:
        pathlib.Path(path).unlink(missing_ok=True)


# A process starts with the peak of the one that spawned it, and this one holds torch: so a small one stands between.
MEASURE = """
import os, sys, time
start = time.perf_counter()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
_, status, usage = os.wait4(pid, 0)
print(status, time.perf_counter() - start, usage.ru_maxrss)
"""


def timed(command):
    """(seconds, peak resident MiB) of a command."""
    measured = subprocess.run([sys.executable, "-I", "-S", "-c", MEASURE, *map(str, command)], stdout=subprocess.PIPE, text=True, check=True)
    status, seconds, peak = measured.stdout.split()
    if status != "0":
        sys.exit(f"{command} failed with status {status}")
    return float(seconds), int(peak) / 1024


def job(name, runs, ours, reference, outputs, note=""):
    """Both in turn, with the ratio of the medians."""
    mine, theirs, peak = [], [], 0
    for _ in range(runs):
        clean(*outputs)
        os.sync()
        theirs.append(reference())
        clean(*outputs)
        os.sync()
        seconds, memory = timed(ours)
        mine.append(seconds)
        peak = max(peak, memory)
    ratio = statistics.median(mine) / statistics.median(theirs)
    print(f"{name:28} {statistics.median(mine):8.3f} s  {statistics.median(theirs):8.3f} s  {ratio:6.2f}  {peak:7.1f} MiB  {note}", flush=True)


def copy_and_sync(source, target):
    def run():
        start = time.perf_counter()
        subprocess.run(["cp", str(source), str(target)], check=True)
        subprocess.run(["sync", str(target)], check=True)
        return time.perf_counter() - start

    return run


def torch_to_h5(source, target):
    state = torch.load(source, weights_only=True)
    with h5py.File(target, "w") as file:
        for key, tensor in state["model"].items():
            file[f"model/{key}"] = tensor.numpy()
        for index, values in state["optimizer"]["state"].items():
            for key, tensor in values.items():
                file[f"optimizer/state/{index}/{key}"] = tensor.numpy()


def peer(function, *arguments):
    def run():
        start = time.perf_counter()
        function(*arguments)
        os.sync()
        return time.perf_counter() - start

    return run


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ckpt", required=True)
    parser.add_argument("--megabytes", type=int, default=1600)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("only", nargs="?", help="accepted for later tables; this one is the only one so far")
    options = parser.parse_args()
    ckpt = os.path.abspath(options.ckpt)
    with tempfile.TemporaryDirectory(prefix="ckpt-bench-", dir=os.environ.get("TMPDIR")) as name:
        folder = pathlib.Path(name)
        a, b, c, d, e = folder / "a.pt", folder / "b.h5", folder / "c.pt", folder / "model.pt", folder / "copy"
        make_checkpoint(a, options.megabytes)
        print(f"{a.stat().st_size / 1e9:.2f} GB of model and Adam state; medians of {options.runs} runs, in turn")
        print(f"{'':28} {'ckpt':>10}  {'other':>10}  {'ratio':>6}  {'peak':>11}")
        job("inspect", options.runs, [ckpt, "inspect", a], peer(lambda: torch.load(a, mmap=True, weights_only=True)), [], "against torch.load(mmap=True)")
        job("convert .pt -> .h5", options.runs, [ckpt, "convert", a, b, "-q"], copy_and_sync(a, e), [b, e], "against cp + sync")
        job("", options.runs, [ckpt, "convert", a, b, "-q"], peer(torch_to_h5, a, e), [b, e], "against torch.load + h5py")
        subprocess.run([ckpt, "convert", "-q", str(a), str(b), "--overwrite"], check=True)
        job("convert .h5 -> .pt", options.runs, [ckpt, "convert", b, c, "-q"], copy_and_sync(b, e), [c, e], "against cp + sync")
        subprocess.run([ckpt, "convert", "-q", str(b), str(c), "--overwrite"], check=True)
        state = torch.load(a, weights_only=True)
        job("", options.runs, [ckpt, "convert", b, c, "-q"], peer(lambda: torch.save(state, e)), [c, e], "against torch.save of the loaded state")
        del state
        subprocess.run([ckpt, "extract", "-q", str(a), "--model-only", "-o", str(d)], check=True)
        reference = folder / "reference.pt"
        shutil.copy(d, reference)
        job("extract --model-only", options.runs, [ckpt, "extract", a, "--model-only", "-o", d, "-q"], copy_and_sync(reference, e), [d, e], "against cp + sync of its result")


if __name__ == "__main__":
    main()
