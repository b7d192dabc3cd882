# Files of Lightning Fabric and of a Trainer: roles, portions with their remainder as fabric.load takes them, averaged weights told from trained ones.
import json
import pathlib
import warnings

import torch
from lightning_fabric import Fabric

from common import FIXTURES, Tally, arguments, run, scratch
from same import differences

options = arguments()
tally = Tally("fabric")
warnings.simplefilter("ignore")
fabric = Fabric(accelerator="cpu", devices=1)


def roles(path):
    code, out, err = run(options.ckpt, "inspect", "--json", path)
    tally.check(code == 0, f"{path}: {err[:200]}")
    shown = json.loads(out)
    return shown, {entry["path"]: entry["role"] for entry in shown["entries"] if entry["path"] and "/" not in entry["path"]}


def state():
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    model, optimizer = fabric.setup(model, optimizer)
    fabric.backward(model(torch.randn(3, 4)).sum())
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 2)
    return {"student": model, "adam": optimizer, "schedule": scheduler, "iteration": 7, "hparams": {"lr": 0.01, "name": "näme", "layers": [8, 8]}, "losses": [0.5, 0.25]}


with scratch() as place:
    folder = pathlib.Path(place)
    saved = state()
    fabric.save(folder / "whole.ckpt", saved)
    whole = torch.load(folder / "whole.ckpt", weights_only=True)
    shown, found = roles(folder / "whole.ckpt")
    tally.check(found == {"student": "model", "adam": "optimizer", "schedule": "scheduler", "iteration": "other", "hparams": "hyper-parameters", "losses": "log"}, f"roles of the user's keys: {found}")

    portions = {"the model": ["--role", "model"], "two roles": ["--role", "optimizer", "--role", "scheduler"], "by path": ["--select", "student/0.*", "--select", "iteration"],
                "without": ["--drop", "adam/state"], "a scalar": ["--select", "hparams/lr"]}
    for name, arguments_ in portions.items():
        code, out, err = run(options.ckpt, "extract", folder / "whole.ckpt", *arguments_, "-o", folder / "part.pt", "--rest", folder / "rest.pt", "--overwrite")
        if not tally.check(code == 0, f"{name}: exit {code}: {err[:200]}"):
            continue
        part, rest = torch.load(folder / "part.pt", weights_only=True), torch.load(folder / "rest.pt", weights_only=True)

        def leaves(value, path=()):
            if isinstance(value, dict) and value:
                return {k: v for key, item in value.items() for k, v in leaves(item, (*path, key)).items()}
            return {path: value}
        one, other, all_of = leaves(part), leaves(rest), leaves(whole)
        tally.check(not set(one) & set(other) and set(one) | set(other) == set(all_of), f"{name}: part and rest are not the whole: {set(all_of) ^ (set(one) | set(other))}")
        for path in all_of:
            problems = differences(all_of[path], one[path] if path in one else other[path])
            tally.check(not problems, f"{name}: {path}: {problems}")

    # what fabric.load restores from both parts is what it restores from the whole
    run(options.ckpt, "extract", folder / "whole.ckpt", "--role", "model", "-o", folder / "part.pt", "--rest", folder / "rest.pt", "--overwrite")
    fresh = state()
    with torch.no_grad():
        for parameter in fresh["student"].parameters():
            parameter.zero_()
    fresh["iteration"] = 0
    fabric.load(folder / "part.pt", {"student": fresh["student"]})
    left = {key: fresh[key] for key in ("adam", "schedule", "iteration", "hparams", "losses")}
    fabric.load(folder / "rest.pt", left)
    tally.check(not differences(dict(whole["student"]), dict(fresh["student"].state_dict())), "fabric.load of the part: other weights")
    tally.check(left["iteration"] == 7 and left["hparams"] == whole["hparams"], "fabric.load of the rest: other values")
    tally.check(not differences(whole["adam"], fresh["adam"].state_dict()), "fabric.load of the rest: another optimizer")
    code, out, err = run(options.ckpt, "extract", "--model-only", folder / "whole.ckpt", "-o", folder / "model.pt")
    tally.check(code == 0, f"model only: {err[:200]}")
    fresh["student"].load_state_dict(torch.load(folder / "model.pt", weights_only=True))

    # a Trainer's averages
    if FIXTURES.is_dir():
        ema = FIXTURES / "lightning/ema/ema.ckpt"
        shown, found = roles(ema)
        wanted = torch.load(ema, weights_only=True)
        tally.check(shown["trainer"]["averaged"] == "state_dict" and shown["trainer"]["trained"] == "current_model_state", f"ema: {shown['trainer']}")
        tally.check(found["state_dict"] == "model" and found["current_model_state"] == "trained" and found["callbacks"] == "other", f"ema: roles {found}")
        tally.check(shown["trainer"]["epoch"] == 2 and shown["trainer"]["global_step"] == 9 and shown["trainer"]["version"] == "2.6.6" and shown["trainer"]["callbacks"] == ["WeightAveraging", "ModelCheckpoint"], f"ema: {shown['trainer']}")
        for role, key in (("averaged", "state_dict"), ("trained", "current_model_state")):
            code, out, err = run(options.ckpt, "extract", ema, "--role", role, "-o", folder / "role.pt", "--overwrite")
            if tally.check(code == 0, f"ema: --role {role}: {err[:200]}"):
                got = torch.load(folder / "role.pt", weights_only=True)
                tally.check(list(got) == [key] and not differences(wanted[key], got[key]), f"ema: --role {role} gives {list(got)}")
        code, out, err = run(options.ckpt, "extract", "--model-only", ema, "-o", folder / "role.pt", "--overwrite")
        tally.check(code == 0 and not differences(wanted["state_dict"], torch.load(folder / "role.pt", weights_only=True)), f"ema: model only: {err[:200]}")
        swa = FIXTURES / "lightning/swa/swa.ckpt"
        shown, found = roles(swa)
        average = "callbacks/StochasticWeightAveraging/average_model_state"
        tally.check(shown["trainer"]["averaged"] == average, f"swa: {shown['trainer']}")
        tally.check({e["role"] for e in shown["entries"] if e["path"].startswith(average + "/")} == {"averaged"}, "swa: role of the average")
        code, out, err = run(options.ckpt, "extract", swa, "--role", "averaged", "-o", folder / "role.pt", "--overwrite")
        if tally.check(code == 0, f"swa: --role averaged: {err[:200]}"):
            got = torch.load(folder / "role.pt", weights_only=True)
            tally.check(not differences(torch.load(swa, weights_only=True)["callbacks"]["StochasticWeightAveraging"]["average_model_state"], got["callbacks"]["StochasticWeightAveraging"]["average_model_state"]), "swa: the average")
        shown, found = roles(FIXTURES / "lightning/trainer/last.ckpt")
        tally.check(found["hyper_parameters"] == "hyper-parameters" and found["datamodule_hyper_parameters"] == "hyper-parameters" and found["optimizer_states"] == "optimizer" and found["lr_schedulers"] == "scheduler", f"trainer: roles {found}")
        tally.check(shown["trainer"]["loops"] == ["fit_loop", "validate_loop", "test_loop", "predict_loop"] and shown["trainer"]["averaged"] is None, f"trainer: {shown['trainer']}")
    else:
        tally.skip("the fixture collection is not beside the repository")
tally.finish()
