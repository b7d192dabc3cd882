# Whatever a checkpoint holds, what `convert --weights-only` writes of it is loaded by torch.load(weights_only=True); what loads so as it is comes out the same.
import pathlib
import warnings

import torch
from common import DATA, FIXTURES, Tally, arguments, run, scratch
from same import Comparison

warnings.simplefilter("ignore")
options = arguments()
tally = Tally("weights only")
SUFFIXES = {".pt", ".pth", ".bin", ".ckpt", ".jld2", ".h5", ".pkl", ".npz"}


def why(error):
    text = str(error).replace("\n", " ")
    at = text.find("WeightsUnpickler error")
    return text[at:][:200]


with scratch() as folder:
    new = pathlib.Path(folder) / "new.pt"
    for path in sorted([*DATA.rglob("*"), *FIXTURES.rglob("*")]):
        if path.suffix not in SUFFIXES or not path.is_file() or "bad" in path.parts:
            continue
        name = f"{path.parent.name}/{path.name}"
        code, _, err = run(options.ckpt, "convert", "--weights-only", path, new, "--overwrite", "-q")
        lossless = code == 0
        if code == 5 and "cannot be kept by layout" in err:
            code, _, err = run(options.ckpt, "convert", "--weights-only", "--allow-loss", path, new, "--overwrite", "-q")
        if code in (3, 4, 5) and err.strip().startswith(f"ckpt: {path}") or "over the limit" in err:
            tally.skip("not read, or too large by its fill value")
            continue
        if not tally.check(code == 0, f"{name}: exit {code}: {err[:200]}"):
            continue
        try:
            after = torch.load(new, weights_only=True)
            tally.passed += 1
        except Exception as error:
            tally.check(False, f"{name}: {type(error).__name__}: {why(error)}")
            continue
        if lossless and path.suffix in (".pt", ".pth"):
            try:
                before = torch.load(path, weights_only=True, map_location="cpu")
            except Exception:
                continue
            comparison = Comparison()
            comparison.run(before, after)
            tally.check(not comparison.differences, f"{name}: {comparison.differences[:3]}")
tally.finish()
