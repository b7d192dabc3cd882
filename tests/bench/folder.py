# 10,000 names in one folder: what lists them beside `ls -f`, which reads them and nothing more. Best and median of many runs, in turn.
import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile
import time


def seconds(command):
    begin = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ckpt", required=True)
    parser.add_argument("--names", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=60)
    options = parser.parse_args()
    ckpt = os.path.abspath(options.ckpt)
    conventions = {
        "epoch=N-step=M.ckpt": lambda n: f"epoch={n}-step={100 * n}.ckpt",
        "checkpoint=N.jld2": lambda n: f"checkpoint={n}.jld2",
        "mammoth": lambda n: f"der-cifar_20240102-030405_{n}.pt",
        "epoch-N.pt": lambda n: f"epoch-{n}.pt",
    }
    for title, name in conventions.items():
        with tempfile.TemporaryDirectory(prefix="ckpt-bench-", dir=os.environ.get("TMPDIR")) as folder:
            for n in range(options.names):
                (pathlib.Path(folder) / name(n)).touch()
            commands = {"ls -f": ["ls", "-f", folder], "last": [ckpt, "last", folder], "ls --indices": [ckpt, "ls", "--indices", folder]}
            times = {label: [] for label in commands}
            for _ in range(options.runs):
                for label, command in commands.items():
                    times[label].append(seconds(command))
            base = times["ls -f"]
            print(f"{options.names} names like {title}; ls -f {min(base) * 1e3:.2f} ms, median {statistics.median(base) * 1e3:.2f} ms")
            for label in ("last", "ls --indices"):
                taken = times[label]
                print(f"  {label:14} {min(taken) * 1e3:7.2f} ms {min(taken) / min(base):5.2f} x   median {statistics.median(taken) / statistics.median(base):5.2f} x")


if __name__ == "__main__":
    main()
