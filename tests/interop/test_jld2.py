# Julia files: what h5py and h5dump find in those that ckpt writes, and what torch finds in what becomes of Julia's own.
import pathlib
import shutil
import subprocess

import h5py
import numpy
import torch

from common import DATA, Tally, arguments, run, scratch
from same import differences

options = arguments()
tally = Tally("jld2")


def readable(path):
    """The datasets of a file, each with what h5py says of it: None where it reads it, else its error."""
    found = {}
    with h5py.File(path, "r") as file:
        names = []
        file.visit(names.append)
        for name in names:
            try:
                if isinstance(file[name], h5py.Dataset):
                    found[name] = None
                    file[name][()]
            except (KeyError, TypeError, OSError, RuntimeError) as error:
                found[name] = str(error)
    return found


with scratch() as name:
    folder = pathlib.Path(name)
    for path in sorted((DATA / "jld2").rglob("*.jld2")):
        out = folder / "again.jld2"
        theirs = readable(path)
        for extra in ([], ["--compress", "zlib"]):
            code, _, err = run(options.ckpt, "convert", "--overwrite", *extra, path, out)
            if not tally.check(code == 0, f"{path.name}: written again: {err}"):
                continue
            # Some kinds h5py reads in no file, Julia's own neither: 128-bit integers, the 0 bytes of an empty String, references of types.
            found = readable(out)
            bad = [f"{dataset}: {error}" for dataset, error in found.items() if error and theirs.get(dataset) != error]
            tally.check(found and not bad, f"{path.name} {extra}: h5py reads what it reads of Julia's file, {len(found)} datasets: {bad[:3]}")
            if shutil.which("h5dump"):
                dumped = subprocess.run(["h5dump", str(out)], capture_output=True, timeout=120)
                tally.check(dumped.returncode == 0, f"{path.name} {extra}: h5dump: {dumped.stderr[:200]}")
            else:
                tally.skip("h5dump is not installed")

    # W[i, j] of torch is W[i+1, j+1] of Julia: in HDF5, which has Julia's dimensions reversed, W[j, i].
    weights = {"w": torch.arange(12, dtype=torch.float32).reshape(3, 4), "b": torch.arange(5).to(torch.bfloat16), "t": torch.randn(64, 48).t(),
               "n": {"a": torch.randn(2, 3, 4, dtype=torch.float64), "tied": None}, "step": 7, "names": ["x", "y"], "pair": (1, 2.5)}
    weights["n"]["tied"] = weights["w"]
    torch.save(weights, folder / "a.pt")
    for extra in ([], ["--compress", "zlib"], ["--julia", "namedtuple"]):
        code, _, err = run(options.ckpt, "convert", "--overwrite", *extra, folder / "a.pt", folder / "a.jld2")
        tally.check(code == 0, f"a.pt -> a.jld2 {extra}: {err}")
        with h5py.File(folder / "a.jld2", "r") as file:
            tally.check(numpy.array_equal(file["w"][()].T, weights["w"].numpy()), f"{extra}: h5py sees the transpose of w")
            tally.check(file["b"].dtype == numpy.float32 and numpy.array_equal(file["b"][()], weights["b"].float().numpy()), f"{extra}: bfloat16 as Float32")
            tally.check(numpy.array_equal(file["t"][()].T, weights["t"].numpy()), f"{extra}: a transposed view")
            tally.check(int(file["step"][()]) == 7, f"{extra}: an integer")
        code, _, err = run(options.ckpt, "convert", "--overwrite", folder / "a.jld2", folder / "b.pt")
        tally.check(code == 0, f"a.jld2 -> b.pt {extra}: {err}")
        back = torch.load(folder / "b.pt", weights_only=True)
        found = differences(weights, back)
        tally.check(not found, f"{extra}: torch finds what it saved: {found}")
        tally.check(back["n"]["tied"] is back["w"] and back["t"].stride() == weights["t"].stride(), f"{extra}: ties and strides")

    # Julia's keys, which Python could not hash, and everything else: torch opens all of it, and nothing is lost on the way.
    for path in sorted((DATA / "jld2").rglob("*.jld2")):
        code, _, err = run(options.ckpt, "convert", "--overwrite", path, folder / "all.pt")
        if not tally.check(code == 0, f"{path.name} -> all.pt: {err}"):
            continue
        try:
            loaded = torch.load(folder / "all.pt", weights_only=False)
            tally.check(isinstance(loaded, dict), f"{path.name}: torch finds a {type(loaded)}")
        except Exception as error:  # noqa: BLE001 - whatever it is, torch could not load it
            tally.check(False, f"{path.name}: torch.load: {error!r}")
        for way, out in (("", "direct.jld2"), ("all.pt", "through.jld2")):
            code, _, err = run(options.ckpt, "convert", "--overwrite", folder / way if way else path, folder / out)
            tally.check(code == 0, f"{path.name} -> {out}: {err}")
        tally.check((folder / "direct.jld2").read_bytes() == (folder / "through.jld2").read_bytes(), f"{path.name}: the same file through torch's")

    code, _, err = run(options.ckpt, "convert", DATA / "jld2" / "layout1" / "checkpoint=5.jld2", folder / "julia.pt")
    tally.check(code == 0, f"checkpoint=5.jld2 -> julia.pt: {err}")
    state = torch.load(folder / "julia.pt", weights_only=False)
    weight = state["model_state"]["layers"][0]["weight"]
    tally.check(weight.shape == (4, 3) and abs(weight[0, 1].item() - 0.17) < 1e-6 and abs(weight[1, 0].item() - 0.26) < 1e-6, "torch sees Julia's matrices")
tally.finish()
