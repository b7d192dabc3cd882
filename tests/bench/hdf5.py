# HDF5 beside h5py and h5ls, in turn, as ratios: all chunks of a compressed dataset, and the list of a large group.
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import h5py
import numpy as np

# A process starts with the peak of the one that spawned it: a small one stands between.
MEASURE = """
import os, sys, time
start = time.perf_counter()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
_, status, usage = os.wait4(pid, 0)
print(status, time.perf_counter() - start, usage.ru_maxrss)
"""

# Only the reading counts, not the start of Python; 64 MiB at a time, into memory that is there already.
READ = """
import sys, time
import h5py, numpy
with h5py.File(sys.argv[1]) as file:
    data = file["x"]
    rows = max(data.chunks[0], (64 << 20) // (data.dtype.itemsize * data[:1].size))
    rows -= rows % data.chunks[0]
    buffer = numpy.zeros((rows, *data.shape[1:]), data.dtype)
    start = time.perf_counter()
    for at in range(0, data.shape[0], rows):
        end = min(at + rows, data.shape[0])
        data.read_direct(buffer, numpy.s_[at:end], numpy.s_[: end - at])
    print(time.perf_counter() - start)
"""


def timed(command):
    """(seconds, peak resident MiB) of a command."""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", MEASURE, *map(str, command)], stdout=subprocess.PIPE, text=True, check=True)
    status, seconds, peak = done.stdout.split()
    if status != "0":
        sys.exit(f"{command} failed with status {status}")
    return float(seconds), int(peak) / 1024


def read_with_h5py(path):
    return float(subprocess.run([sys.executable, "-c", READ, path], stdout=subprocess.PIPE, text=True, check=True).stdout)


def compare(name, runs, ours, theirs, wanted):
    mine, other, peak = [], [], 0
    for _ in range(runs):
        other.append(theirs())
        seconds, memory = timed(ours)
        mine.append(seconds)
        peak = max(peak, memory)
    ratio = statistics.median(b / a for a, b in zip(mine, other))
    print(f"{name:34} {statistics.median(mine):8.3f} s  {statistics.median(other):8.3f} s  {ratio:6.2f} times as fast{wanted}  {peak:7.1f} MiB", flush=True)


def make_dataset(path, megabytes, chunks, shuffle):
    """Weights as a model has them: floats of which a third compresses away."""
    rng = np.random.default_rng(0)
    columns = 4096
    rows = megabytes * (1 << 20) // (4 * columns)
    with h5py.File(path, "w") as file:
        data = file.create_dataset("x", (rows, columns), "f4", chunks=chunks, compression="gzip", compression_opts=1, shuffle=shuffle)
        block = 1024
        for at in range(0, rows, block):
            values = rng.standard_normal((min(block, rows - at), columns), dtype="f4") * np.float32(0.02)
            values.view("u4")[:] &= np.uint32(0xFFFFF000)
            data[at : at + block] = values


def make_group(path, count):
    with h5py.File(path, "w", libver="v108") as file:
        group = file.create_group("model", track_order=True)
        for i in range(count):
            group.create_dataset(f"layers.{i}.mlp.weight", data=np.float32([i]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ckpt", required=True)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--datasets", type=int, default=100000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    ckpt = os.path.abspath(options.ckpt)
    with tempfile.TemporaryDirectory(prefix="ckpt-bench-", dir=os.environ.get("TMPDIR")) as name:
        folder = pathlib.Path(name)
        print(f"{'':34} {'ckpt':>10}  {'other':>10}")
        for label, chunks, shuffle in [("1 MiB chunks", (64, 4096), False), ("tiles, shuffled", (256, 256), True)]:
            path = folder / "chunks.h5"
            make_dataset(path, options.megabytes, chunks, shuffle)
            compare(f"verify --full, {label}", options.runs, [ckpt, "verify", "--full", path, "-j", "2", "-q"], lambda: read_with_h5py(path), " (1.6 wanted)")
            compare(f"inspect --digest, {label}", options.runs, [ckpt, "inspect", "--json", "--digest=xxh3", path, "-j", "2"], lambda: read_with_h5py(path), " (1.6 wanted)")
        group = folder / "group.h5"
        make_group(group, options.datasets)
        compare(f"inspect, {options.datasets} datasets", options.runs, [ckpt, "inspect", group], lambda: timed(["h5ls", "-r", group])[0], " (5 wanted)")
        compare(f"inspect --json, {options.datasets} datasets", options.runs, [ckpt, "inspect", "--json", group], lambda: timed(["h5ls", "-r", group])[0], "")


if __name__ == "__main__":
    main()
