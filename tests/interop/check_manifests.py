# inspect --json of every sample against what the program that wrote it found in it. Needs no foreign package.
import json
import pathlib
import sys

import blackit_manifest
import hdf5_manifest
import jld2_manifest
import torch_manifest
from common import Tally, run

HDF5_SUFFIXES = {".h5", ".hdf5", ".h5ad", ".nc", ".mat", ".keras"}


def check(ckpt, expected, tally):
    """One file: `expected` is its manifest, NAME.expected.json beside NAME."""
    path = expected.with_name(expected.name[: -len(".expected.json")])
    name = str(pathlib.Path(path.parent.name) / path.name)
    code, out, err = run(ckpt, "inspect", "--json", "--digest=sha256", path)
    manifest = json.loads(expected.read_text())
    if path.is_dir() and "restores" in manifest:  # a saving folder: what cannot be restored, or holds damage, has no entries
        if not manifest["entries"]:
            tally.check(code == 4 or manifest["restores"], f"{name}: inspect exits with {code}")
            return
        if tally.check(code == 0, f"{name}: inspect exits with {code}: {err.strip()[:200]}"):
            problems = blackit_manifest.compare(manifest, json.loads(out))
            tally.check(not problems, f"{name}: " + "; ".join(problems[:4]))
        return
    if "entries_of" in manifest:  # the very entries of another file's manifest
        manifest["entries"] = json.loads((expected.parent / (manifest["entries_of"] + ".expected.json")).read_text())["entries"]
    due = hdf5_manifest.exit_code(manifest) if path.suffix in HDF5_SUFFIXES else 0
    if not tally.check(code == due, f"{name}: inspect exits with {code}: {err.strip()[:200]}"):
        return
    ours = json.loads(out)
    if path.suffix in HDF5_SUFFIXES:
        problems = hdf5_manifest.compare(manifest, ours)
    elif path.suffix == ".jld2":
        problems = jld2_manifest.compare(manifest, ours)
    elif "torchscript" in path.name:  # the manifest names tensors as torch.jit.load does; ours stand where the archive has them
        wanted = {e["sha256"] for e in manifest["entries"] if e["kind"] == "tensor"}
        problems = [] if wanted <= {e.get("sha256") for e in ours["entries"]} else ["tensors missing"]
    elif path.name == "long_header.npy":  # NumPy refuses so long a header without being told to; its manifest is empty
        problems = [] if ours["entries"][0]["kind"] == "object" else ["no array"]
    elif path.name == "one_key_two_classes.pt":
        return  # torch takes the first class for both; we show each tensor as the pickle names it, and warn
    else:
        problems = torch_manifest.compare(manifest, ours)
    tally.check(not problems, f"{name}: " + "; ".join(problems[:4]))


if __name__ == "__main__":  # check_manifests.py CKPT FOLDER
    tally = Tally("manifests")
    for expected in sorted(pathlib.Path(sys.argv[2]).rglob("*.expected.json")):
        check(sys.argv[1], expected, tally)
    tally.finish()
