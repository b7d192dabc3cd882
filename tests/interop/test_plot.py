# `ckpt plot` beside what torch loads: the numbers of curves and histograms, and pictures with all that belongs in them.
import json
import math
import pathlib
import re
import shutil

import numpy
import torch
from common import DATA, Tally, arguments, run, scratch

options = arguments()
tally = Tally("curves beside torch")
torch.manual_seed(17)


def charts(*args):
    code, out, err = run(options.ckpt, "plot", *args, "--json")
    tally.check(code == 0 and err == "", f"{args}: {code} {err}")
    return json.loads(out)["charts"] if code == 0 else []


with scratch() as name:
    folder = pathlib.Path(name)
    (folder / "run").mkdir()
    losses = [2.0 * math.exp(-k / 9) + 0.1 for k in range(40)]
    for epoch in range(0, 40, 4):
        log = {"train_loss": losses[: epoch + 1], "val_loss": [1.1 * x for x in losses[: epoch + 1]], "val_acc": [1 - x / 3 for x in losses[: epoch + 1]], "note": "it's `odd` \"quoted\""}
        torch.save({"model": {"w": torch.randn(300, 20), "b": torch.randn(5)}, "epoch": epoch, "log": log, "scale": torch.tensor([0.5 * epoch])}, folder / "run" / f"epoch-{epoch}.pt")
    last = folder / "run" / "epoch-36.pt"
    state = torch.load(last)
    found = charts(last)
    tally.check([c["y_label"] for c in found] == ["loss", "acc"] and [len(c["curves"]) for c in found] == [2, 1], f"groups: {[(c['y_label'], len(c['curves'])) for c in found]}")
    tally.check(found[0]["x_label"] == "epoch" and found[0]["title"].startswith("epoch-36.pt"), f"labels: {found[0]['x_label']} {found[0]['title']}")
    tally.check(found[0]["curves"][0]["y"] == state["log"]["train_loss"], "the numbers of a log")
    found = charts(folder / "run", "log/val_loss", "scale", "epoch")
    tally.check(found[0]["x_label"] == "epoch" and [c["name"] for c in found[0]["curves"]] == ["log/val_loss", "scale", "epoch"], f"a run: {found[0]['x_label']}")
    tally.check(found[0]["curves"][0]["x"] == list(range(0, 40, 4)) and numpy.allclose(found[0]["curves"][0]["y"], [1.1 * losses[e] for e in range(0, 40, 4)], rtol=1e-15), "values of a run")
    tally.check(found[0]["curves"][1]["y"] == [0.5 * e for e in range(0, 40, 4)], "tensors of one element over a run")
    found = charts(last, "model/w", "--bars", 25)
    counts, edges = numpy.histogram(state["model"]["w"].numpy().astype(numpy.float64), 25)
    tally.check(found[0]["kind"] == "histogram" and found[0]["curves"][0]["y"] == counts.tolist() and numpy.allclose(found[0]["curves"][0]["x"], edges), "a histogram")
    code, out, err = run(options.ckpt, "plot", folder / "run", "log/val_loss", "--data")
    rows = [line.split("\t") for line in out.splitlines() if not line.startswith("#")]
    tally.check(code == 0 and [int(row[0]) for row in rows] == list(range(0, 40, 4)), f"data: {out}")
    search = DATA / "pyhopper" / "nan_min.ckpt"
    found = charts(search)
    best = numpy.array(found[0]["curves"][1]["y"], dtype=float)
    objective = numpy.array(found[0]["curves"][0]["y"], dtype=float)
    running = [numpy.nanmin(objective[: k + 1]) if numpy.isfinite(objective[: k + 1]).any() else math.nan for k in range(len(objective))]
    tally.check(numpy.allclose(best, running, equal_nan=True), f"best so far: {best} {running}")
    if shutil.which("gnuplot") is None:
        tally.skip("gnuplot is not installed")
    else:
        for extension, begin in (("svg", b"<?xml"), ("png", b"\x89PNG"), ("pdf", b"%PDF")):
            for label, args in (("log", [last]), ("run", [folder / "run", "log/val_loss"]), ("hist", [last, "model/w"]), ("search", [search]), ("log axis", [last, "log/train_loss", "--log"])):
                out = folder / f"{label}.{extension}"
                code, _, err = run(options.ckpt, "plot", *args, "-o", out)
                tally.check(code == 0 and err == "" and out.read_bytes().startswith(begin), f"{label}.{extension}: {code} {err}")
        texts = re.findall(r"<text>(?:<!\[CDATA\[)?([^<\]]*)", (folder / "log.svg").read_text())
        tally.check(all(any(word in text for text in texts) for word in ("epoch-36.pt: loss", "epoch", "loss", "acc", "log/train_loss", "log/val_loss")), f"titles, axes, legend: {set(texts)}")
        odd = {"it's `id` $(id) \"x\"": [1.0, 2.0], "line\nend": [2.0, 1.0]}
        torch.save({"log": odd}, folder / "odd.pt")
        code, _, err = run(options.ckpt, "plot", folder / "odd.pt", "-o", folder / "odd's.svg", "--title", "a 'title' `id`")
        tally.check(code == 0 and "a 'title' `id`" in (folder / "odd's.svg").read_text(), f"odd names: {code} {err}")
        code, out, err = run(options.ckpt, "plot", last, "log/train_loss")
        tally.check(code == 0 and "log/train_loss" in out and "epoch" in out and len(out.splitlines()) >= 20, f"terminal: {code} {err}")
tally.finish()
