# Makes tests/data/run: a small model trained for 50 epochs by torch 2.13, saved every ten. Usage: make_run.py FOLDER
import argparse
import collections
import sys

import torch

torch.manual_seed(0)
folder = sys.argv[1]
args = argparse.Namespace(model="mlp", dataset="two-moons", lr=0.01, batch_size=64, seed=0)
model = torch.nn.Sequential(
    collections.OrderedDict(
        encoder=torch.nn.Linear(2, 32), act=torch.nn.ReLU(), norm=torch.nn.BatchNorm1d(32), head=torch.nn.Linear(32, 2)
    )
)
optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 20)
x = torch.randn(256, 2)
y = (x[:, 0].sin() > x[:, 1]).long()
log = {"train_loss": [], "train_acc": []}
for epoch in range(1, 51):
    optimizer.zero_grad()
    out = model(x)
    loss = torch.nn.functional.cross_entropy(out, y)
    loss.backward()
    optimizer.step()
    scheduler.step()
    log["train_loss"].append(loss.item())
    log["train_acc"].append((out.argmax(1) == y).float().mean().item())
    if epoch % 10 == 0:
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
            "epoch": epoch,
            "args": args,
            "log": log,
        }
        torch.save(state, f"{folder}/epoch-{epoch}.pt")
