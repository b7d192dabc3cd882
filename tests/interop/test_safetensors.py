# The safetensors package reads what ckpt writes, writes the same bytes, and ckpt reads what it writes.
import collections
import pathlib
import random

import safetensors
import safetensors.torch
import torch

from check_manifests import check
from common import DATA, FIXTURES, Tally, arguments, run, scratch
from same import differences

options = arguments()
tally = Tally("safetensors")
random.seed(5)
torch.manual_seed(5)

DTYPES = [torch.bool, torch.uint8, torch.int8, torch.uint16, torch.int16, torch.uint32, torch.int32, torch.uint64, torch.int64, torch.float16, torch.bfloat16,
          torch.float32, torch.float64, torch.complex64, torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz, torch.float8_e8m0fnu]
NAMES = ["a", "layer.0.weight", "ünï", "with/slash", "quote\"s", "tab\t", "", "z" * 300, "emoji 😀", "line\u2028"]


def tensor(dtype):
    shape = [random.choice([0, 1, 2, 3, 7]) for _ in range(random.randint(0, 4))]
    count = 1
    for size in shape:
        count *= size
    width = torch.empty(0, dtype=dtype).element_size()
    raw = torch.randint(0, 2 if dtype == torch.bool else 256, (count * width,), dtype=torch.uint8)
    return raw.view(dtype).reshape(shape) if count else torch.empty(shape, dtype=dtype)


def same_bytes(a, b):
    """NaNs too."""
    return a.shape == b.shape and a.dtype == b.dtype and a.contiguous().flatten().view(torch.uint8).equal(b.contiguous().flatten().view(torch.uint8)) if a.numel() else a.shape == b.shape and a.dtype == b.dtype


with scratch() as name:
    folder = pathlib.Path(name)
    for round_ in range(40):
        state = {f"{random.choice(NAMES)}{i}" if i else random.choice(NAMES): tensor(random.choice(DTYPES)) for i in range(random.randint(0, 12))}
        torch.save(state, folder / "a.pt")
        code, _, err = run(options.ckpt, "convert", "--overwrite", folder / "a.pt", folder / "ours.safetensors")
        if not tally.check(code == 0, f"round {round_}: written: {err}"):
            continue
        safetensors.torch.save_file(state, folder / "theirs.safetensors")
        tally.check((folder / "ours.safetensors").read_bytes() == (folder / "theirs.safetensors").read_bytes(), f"round {round_}: the same bytes")
        loaded = safetensors.torch.load_file(folder / "ours.safetensors")
        tally.check(loaded.keys() == state.keys() and all(same_bytes(loaded[k], state[k]) for k in state), f"round {round_}: the package loads them")
        code, _, err = run(options.ckpt, "convert", "--overwrite", folder / "theirs.safetensors", folder / "b.pt")
        back = torch.load(folder / "b.pt", weights_only=True)
        tally.check(code == 0 and back.keys() == state.keys() and all(same_bytes(back[k], state[k]) for k in state), f"round {round_}: torch loads them back {err}")
        safetensors.torch.save_file(state, folder / "theirs.safetensors", metadata={"format": "pt"})
        run(options.ckpt, "convert", "--overwrite", folder / "theirs.safetensors", folder / "ours.safetensors")
        tally.check((folder / "ours.safetensors").read_bytes() == (folder / "theirs.safetensors").read_bytes(), f"round {round_}: metadata is kept")

    # Views that are no ties are copied; transposed ones are put in order; ties stay.
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    state = collections.OrderedDict(w=base, t=base.t(), row=base[1], tied=base, other=base[:, 2:4])
    torch.save(state, folder / "views.pt")
    code, _, err = run(options.ckpt, "convert", "--overwrite", folder / "views.pt", folder / "views.safetensors")
    loaded = safetensors.torch.load_file(folder / "views.safetensors")
    with safetensors.safe_open(folder / "views.safetensors", "pt") as file:
        tally.check(file.metadata() == {"w": "tied"}, f"the first name is kept, the others are metadata: {file.metadata()}")
    state["w"] = None
    tally.check(all(loaded[k].equal(state[k]) for k in ("t", "row", "tied", "other")) and "w" not in loaded, "views are whole tensors")
    run(options.ckpt, "convert", "--overwrite", folder / "views.safetensors", folder / "back.pt")
    back = torch.load(folder / "back.pt", weights_only=True)
    tally.check(back["w"].equal(base) and back["w"].data_ptr() == back["tied"].data_ptr(), "the tie comes back")

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.embed = torch.nn.Embedding(10, 4)
            self.body = torch.nn.Linear(4, 4)
            self.head = torch.nn.Linear(4, 10, bias=False)
            self.head.weight = self.embed.weight

    model = Model()
    torch.save(model.state_dict(), folder / "model.pt")
    run(options.ckpt, "convert", "--overwrite", folder / "model.pt", folder / "model.safetensors")
    safetensors.torch.save_model(model, folder / "theirs.safetensors")
    tally.check((folder / "model.safetensors").read_bytes() == (folder / "theirs.safetensors").read_bytes(), "save_model gives the same file")
    again = Model()
    missing, unexpected = safetensors.torch.load_model(again, folder / "model.safetensors")
    tally.check(not missing and not unexpected and again.head.weight.equal(model.head.weight), "load_model takes it")

    # With --metadata nothing is lost.
    shared = [1, 2]
    full = {"model": model.state_dict(), "optimizer": torch.optim.Adam(model.parameters()).state_dict(), "epoch": 3, "name": "run", "nested": {"a": shared, "b": shared, 1: (None, 2.5)},
            "parameter": torch.nn.Parameter(torch.ones(2)), "bytes": b"\x00\xff", "big": 2**100, "nan": float("inf"), "set": {1, 2}, "complex": 1 + 2j, "empty": {}, "text": "x" * 100000}
    torch.save(full, folder / "full.pt")
    code, _, err = run(options.ckpt, "convert", "--overwrite", "--metadata", folder / "full.pt", folder / "full.safetensors")
    tally.check(code == 0, f"--metadata: {err}")
    safetensors.torch.load_file(folder / "full.safetensors")
    code, _, err = run(options.ckpt, "convert", "--overwrite", folder / "full.safetensors", folder / "full2.pt")
    back = torch.load(folder / "full2.pt", weights_only=False)
    found = differences(full, back)
    tally.check(code == 0 and not found, f"--metadata gives back everything: {found} {err}")
    tally.check(back["nested"]["a"] is back["nested"]["b"], "a list at two places is one")
    tally.check(back["model"]["head.weight"].data_ptr() == back["model"]["embed.weight"].data_ptr(), "tied as before")

    # What safetensors says of the borderline files, we say, or are stricter.
    for path in sorted((DATA / "safetensors" / "bad").glob("*.safetensors")):
        try:
            with safetensors.safe_open(path, "pt") as file:
                theirs = all(file.get_slice(k) is not None for k in file.keys())
        except Exception:  # the package raises several kinds
            theirs = False
        code, _, _ = run(options.ckpt, "inspect", path)
        tally.check(theirs or code == 4, f"{path.name}: refused by the package, so here (exit {code})")

if FIXTURES.is_dir():
    for expected in sorted((FIXTURES / "safetensors").rglob("*.expected.json")):
        check(options.ckpt, expected, tally)
else:
    tally.skip("the fixture collection is not beside the repository")
tally.finish()
