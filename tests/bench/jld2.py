# Julia checkpoints: inspect, and conversions as ratios against `cp` + `sync`. Matrices are transposed wherever a layout has no strides.
import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile

from bench import copy_and_sync, job, make_checkpoint, timed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ckpt", required=True)
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    ckpt = os.path.abspath(options.ckpt)
    with tempfile.TemporaryDirectory(prefix="ckpt-bench-", dir=os.environ.get("TMPDIR")) as name:
        folder = pathlib.Path(name)
        a, b, c, d, e = folder / "a.pt", folder / "b.jld2", folder / "c.pt", folder / "d.h5", folder / "copy"
        make_checkpoint(a, options.megabytes)
        subprocess.run([ckpt, "convert", "-q", str(a), str(b)], check=True)
        print(f"{b.stat().st_size / 1e9:.2f} GB of matrices of 2048 x 2048; medians of {options.runs} runs, in turn")
        print(f"{'':28} {'ckpt':>10}  {'other':>10}  {'ratio':>6}  {'peak':>11}")
        measured = [timed([ckpt, "inspect", b]) for _ in range(options.runs)]
        print(f"{'inspect .jld2':28} {statistics.median(t for t, _ in measured):8.3f} s  {'':10}  {'':6}  {max(m for _, m in measured):7.1f} MiB")
        job("convert .pt -> .jld2", options.runs, [ckpt, "convert", a, b, "-q"], copy_and_sync(a, e), [b, e], "transposing, against cp + sync")
        subprocess.run([ckpt, "convert", "-q", "--overwrite", str(a), str(b)], check=True)
        job("convert .jld2 -> .pt", options.runs, [ckpt, "convert", b, c, "-q"], copy_and_sync(b, e), [c, e], "transposing, against cp + sync")
        job("convert .jld2 -> .h5", options.runs, [ckpt, "convert", b, d, "-q"], copy_and_sync(b, e), [d, e], "transposing, against cp + sync")


if __name__ == "__main__":
    main()
