# Checkpoints of Mammoth: what `convert --weights-only` writes loads with weights_only=True and has the same values; backbones have the names
# that Mammoth's --loadcheck was recorded to take. With CKPT_MAMMOTH=FOLDER (a checkout of Mammoth) its own loader judges both.
import argparse
import ast
import collections
import copy
import hashlib
import importlib.machinery
import json
import os
import pathlib
import sys
import types

import numpy as np
import torch
from common import FIXTURES, Tally, arguments, run, scratch, stub_module

options = arguments()
tally = Tally("mammoth")
if not FIXTURES.is_dir():
    tally.skip("the fixture collection is not beside the repository")
    tally.passed += 1
    tally.finish()


def digests(state):
    return {k: hashlib.sha256(v.detach().contiguous().numpy().tobytes()).hexdigest() for k, v in state.items()}


def mammoth():
    """(loader, model maker) of a checkout; packages that play no part in loading are stand-ins."""
    class Anything(type):
        def __getattr__(cls, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return Anything(name, (), {"__init__": lambda self, *a, **k: None})

    class StandIn(types.ModuleType):
        __path__ = []

        def __getattr__(self, name):
            if name.startswith("__"):
                raise AttributeError(name)
            return Anything(name, (), {"__init__": lambda self, *a, **k: None})

    class Finder:
        names = "torchvision kornia timm tqdm clip wandb onedrivedownloader googledrivedownloader git PIL sklearn yaml requests".split()

        def find_spec(self, name, path=None, target=None):
            return importlib.machinery.ModuleSpec(name, self) if name.split(".")[0] in self.names else None

        def create_module(self, spec):
            return StandIn(spec.name)

        def exec_module(self, module):
            pass

    sys.path.insert(0, os.environ["CKPT_MAMMOTH"])
    sys.meta_path.append(Finder())
    from backbone.MNISTMLP import BaseMNISTMLP
    from utils.buffer import Buffer
    from utils.checkpoints import mammoth_load_checkpoint

    # One method of its models; importing them would want all of their packages.
    source = ast.parse((pathlib.Path(os.environ["CKPT_MAMMOTH"]) / "models/utils/continual_model.py").read_text())
    method = next(node for node in ast.walk(source) if isinstance(node, ast.FunctionDef) and node.name == "load_buffer")
    made = {"Buffer": Buffer}
    exec(compile(ast.Module([method], []), "continual_model.py", "exec"), made)

    class Model(torch.nn.Module):
        load_buffer = made["load_buffer"]

        def __init__(self):
            super().__init__()
            self.net, self.device = BaseMNISTMLP(12, 10, hidden_size=6), "cpu"
            self.buffer, self.args = Buffer(8), argparse.Namespace(buffer_size=8)

    return mammoth_load_checkpoint, Model


def plain(value):
    """A value as --weights-only says it: for comparing."""
    if isinstance(value, argparse.Namespace):
        return {k: plain(v) for k, v in vars(value).items()}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, collections.OrderedDict):
        return collections.OrderedDict((k, plain(v)) for k, v in value.items())
    if isinstance(value, collections.Counter) or hasattr(type(value), "stub_name"):
        return value
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(plain(v) for v in value)
    return value


def differences(a, b, path=""):
    """Where two plain values differ; classes that were no part of the comparison are skipped."""
    if isinstance(a, torch.Tensor):
        if not isinstance(b, torch.Tensor) or a.dtype != b.dtype or not torch.equal(a, b):
            yield path
    elif type(a) is not type(b):
        yield f"{path}: {type(a).__name__} became {type(b).__name__}"
    elif isinstance(a, dict):
        if list(a) != list(b):
            yield f"{path}: keys {list(a)} became {list(b)}"
        for key in a:
            yield from differences(a[key], b.get(key), f"{path}/{key}")
    elif isinstance(a, (list, tuple)):
        if len(a) != len(b):
            yield path
        for i, (x, y) in enumerate(zip(a, b)):
            yield from differences(x, y, f"{path}/{i}")
    elif a != b and a == a:
        yield f"{path}: {a!r} became {b!r}"


def attributes(thing):
    """Of an object, be its class there or made up."""
    return thing.state if hasattr(type(thing), "stub_name") else vars(thing)


load, make_model = mammoth() if os.environ.get("CKPT_MAMMOTH") else (None, None)
if load is None:
    tally.skip("Mammoth's own loader: CKPT_MAMMOTH names no checkout of it")
foreign = stub_module()
folder_of_all = FIXTURES / "mammoth"
with scratch() as folder:
    folder = pathlib.Path(folder)
    new = folder / "new.pt"
    for expected in sorted(folder_of_all.rglob("*.pt.expected.json")):
        path = expected.with_name(expected.name[: -len(".expected.json")])
        name, manifest = path.name, json.loads(expected.read_text())
        loaded = json.loads(path.with_name(path.name + ".loaded.json").read_text())
        before = torch.load(path, weights_only=False, pickle_module=foreign)
        is_odd = name == "odd_arguments_old_pickle.pt"
        if is_odd:
            status, _, err = run(options.ckpt, "convert", "--weights-only", path, folder / "odd.pt")
            listed = all(f"args/{one}: " in err for one in ("path", "a_range", "a_class")) and "args/np_float" not in err
            tally.check(status == 5 and listed and not (folder / "odd.pt").exists(), f"{name}: refused with a list: exit {status}: {err}")
        status, _, err = run(options.ckpt, "convert", "--weights-only", path, new, "--overwrite", *(["--allow-loss"] if is_odd else []))
        if not tally.check(status == 0, f"{name}: exit {status}: {err[:300]}"):
            continue
        after = torch.load(new, weights_only=True)
        wanted = plain(before)
        if is_odd:
            for lost in ("path", "a_range", "a_class"):
                wanted["args"].pop(lost), after["args"].pop(lost)
        if "buffer" in wanted and type(wanted["buffer"]) is not dict:
            buffer = attributes(wanted["buffer"])
            wanted["buffer"] = {k: v for k, v in buffer.items() if isinstance(v, torch.Tensor)}
            rest = {k: v for k, v in buffer.items() if not isinstance(v, torch.Tensor)}
            strategy = rest.pop("sample_selection_fn")
            kept = after.pop("buffer_state")
            tally.check(kept.pop("sample_selection_fn") == attributes(strategy) and not list(differences(plain(rest), kept)),
                        f"{name}: what else the buffer knew: {kept}")
        found = list(differences(wanted, after))
        tally.check(not found, f"{name}: {found[:4]}")
        if "model" in before:
            same = {k: v.data_ptr() for k, v in before["model"].items()}, {k: v.data_ptr() for k, v in after["model"].items()}
            groups = [sorted(sorted(k for k in p if p[k] == q) for q in set(p.values())) for p in same]
            tally.check(groups[0] == groups[1], f"{name}: names on one storage stay so")
            status, _, err = run(options.ckpt, "extract", "--role", "model", path, "-o", folder / "backbone.pt", "--overwrite")
            backbone = torch.load(folder / "backbone.pt", weights_only=True) if tally.check(status == 0, f"{name}: backbone: {err[:200]}") else {}
            tally.check("args" not in backbone and list(backbone) == list(before["model"]) and all(k.startswith("net.") for k in backbone),
                        f"{name}: names of the backbone: {list(backbone)[:3]}")
            if loaded["accepted"]:
                tally.check(digests(backbone) == loaded["state_dict_sha256"], f"{name}: the backbone's parameters")
        if load is None:
            continue
        # Mammoth itself: the file that it wrote, and what was made of it.
        for candidate, sort in ((new, "weights only"), (folder / "backbone.pt", "backbone")):
            if sort == "backbone" and "model" not in before or "model" not in before and not loaded["accepted"]:
                continue
            model = make_model()
            args = copy.deepcopy(argparse.Namespace(model="er", distributed="no"))
            try:
                _, results = load(str(candidate), model, args=None if sort != "backbone" and "args" in after else args)
            except Exception as error:
                tally.check(False, f"{name} as {sort}: Mammoth refuses it: {type(error).__name__}: {str(error)[:200]}")
                continue
            if loaded["accepted"]:
                found, due = digests({f"net.{k}": v for k, v in model.net.state_dict().items()}), loaded["state_dict_sha256"]
                # Of a classifier that a backbone file has no second name for, Mammoth leaves one as it was made.
                due = {k: v for k, v in due.items() if "no_duplicates" not in name or not k.startswith("net.net.1.")}
                tally.check(due.items() <= found.items(), f"{name} as {sort}: the model that Mammoth loads")
            else:
                tally.check(digests(model.net.state_dict()) == {k[4:]: v for k, v in digests(before["model"]).items()}, f"{name} as {sort}: the model that Mammoth loads")
    # Wrappers in any nesting come off by whole components; names that would be one are refused.
    good = {f"net.{k}": torch.full((2,), i, dtype=torch.float32) for i, k in enumerate(("fc.weight", "module_list.0.w", "net.0.w", "renet.w"))}
    rest = dict(optimizer={}, scheduler=None, args={}, results=[])
    for wrap in ("module.{}", "_orig_mod.{}", "module._orig_mod.{}", "_orig_mod.module.{}"):
        for inner in (False, True):
            def named(key):
                return "net." + wrap.format(key[4:]) if inner else wrap.format(key)
            torch.save(dict(model={named(k): v for k, v in good.items()}, **rest), folder / "wrapped.pt")
            status, _, err = run(options.ckpt, "extract", "--role", "model", folder / "wrapped.pt", "-o", folder / "backbone.pt", "--overwrite")
            found = torch.load(folder / "backbone.pt", weights_only=True) if status == 0 else err
            tally.check(status == 0 and list(found) == list(good), f"{named('net.x')}: {found}")
    torch.save(dict(model={"module.net.a": torch.zeros(1), "net.a": torch.ones(1)}, **rest), folder / "both.pt")
    status, _, err = run(options.ckpt, "extract", "--role", "model", folder / "both.pt", "-o", folder / "no.pt")
    tally.check(status == 5 and "'module.net.a' and 'net.a' would both be 'net.a'" in err and not (folder / "no.pt").exists(), f"collision: exit {status}: {err}")
tally.finish()
