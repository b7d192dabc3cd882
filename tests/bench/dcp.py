# Consolidating a distributed checkpoint of 4 ranks beside torch's own dcp_to_torch_save, in the same run.
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

# A process starts with the peak of the one that spawned it: a small one stands between.
MEASURE = """
import os, sys, time
start = time.perf_counter()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)])
_, status, usage = os.wait4(pid, 0)
print(status, time.perf_counter() - start, usage.ru_maxrss)
"""

RANKS = """
import os, sys
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing as mp
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Shard

def save(rank, ranks, folder, matrices, side):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}.store", rank=rank, world_size=ranks)
    mesh = init_device_mesh("cpu", (ranks,))
    torch.manual_seed(rank)
    state = {f"layers.{i}.weight": DTensor.from_local(torch.randn(side // ranks, side), mesh, [Shard(0)]) for i in range(matrices)}
    dcp.save({"model": state, "step": 1000}, checkpoint_id=folder)
    dist.destroy_process_group()

if __name__ == "__main__":
    mp.spawn(save, (4, sys.argv[1], int(sys.argv[2]), int(sys.argv[3])), nprocs=4)
"""

# Says on stderr how long it took without Python's start and torch's import.
THEIRS = """
import sys, time
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save
start = time.perf_counter()
dcp_to_torch_save(sys.argv[1], sys.argv[2])
print(time.perf_counter() - start, file=sys.stderr)
"""


def timed(command):
    """(seconds, peak resident MiB, stderr) of a command."""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", MEASURE, *map(str, command)], capture_output=True, text=True, check=True)
    status, seconds, peak = done.stdout.split()
    if status != "0":
        sys.exit(f"{command} failed with status {status}: {done.stderr}")
    return float(seconds), int(peak) / 1024, done.stderr


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ckpt", required=True)
    parser.add_argument("--matrices", type=int, default=32, help="of 64 MiB each")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", help="where the files go; some GiB")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ckpt-bench-", dir=options.folder) as name:
        folder = pathlib.Path(name)
        source = folder / "saved"
        script = folder / "ranks.py"
        script.write_text(RANKS)
        subprocess.run([sys.executable, script, source, str(options.matrices), "4096"], check=True, stderr=subprocess.DEVNULL)
        size = sum(f.stat().st_size for f in source.iterdir())
        print(f"{size / 1e9:.2f} GB in {len(list(source.iterdir()))} files, {options.matrices} tensors in 4 chunks each", flush=True)
        ours, theirs, theirs_alone, peak, their_peak = [], [], [], 0, 0
        for run in range(options.runs):
            os.sync()
            seconds, memory, err = timed([sys.executable, "-c", THEIRS, source, folder / "theirs.pt"])
            theirs.append(seconds)
            start = time.perf_counter()
            descriptor = os.open(folder / "theirs.pt", os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
            theirs_alone.append(float(err.split()[-1]) + time.perf_counter() - start)
            their_peak = max(their_peak, memory)
            os.sync()
            seconds, memory, _ = timed([options.ckpt, "convert", source, folder / "ours.pt", "--overwrite"])
            ours.append(seconds)
            peak = max(peak, memory)
            (folder / "theirs.pt").unlink()
        ratio = statistics.median(b / a for a, b in zip(ours, theirs))
        alone = statistics.median(b / a for a, b in zip(ours, theirs_alone))
        print(f"ckpt convert, synced to disk        {statistics.median(ours):8.3f} s  {peak:8.1f} MiB (wanted: 64 at most)")
        print(f"dcp_to_torch_save, not synced       {statistics.median(theirs):8.3f} s  {their_peak:8.1f} MiB")
        print(f"  without the import, synced        {statistics.median(theirs_alone):8.3f} s")
        print(f"  {ratio:.2f} times as fast (wanted: 4), {alone:.2f} without the import and both synced")
        check = "import sys, torch; a, b = (torch.load(p, mmap=True, weights_only=True) for p in sys.argv[1:]); assert a['step'] == b['step'] and all(torch.equal(a['model'][k], b['model'][k]) for k in b['model'])"
        run = [sys.executable, "-c", THEIRS, source, folder / "theirs.pt"]
        subprocess.run(run, check=True, stderr=subprocess.DEVNULL)
        subprocess.run([sys.executable, "-c", check, folder / "ours.pt", folder / "theirs.pt"], check=True)
        print("both files hold the same values")


main()
