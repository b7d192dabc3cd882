# Run by Debian's Python with Debian's torch 1.13: writes old_*.pt into the folder given.
import argparse
import sys

import torch

folder = sys.argv[1]
torch.manual_seed(2)
model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Linear(4, 2))
optimizer = torch.optim.Adam(model.parameters())
model[0](torch.randn(1, 3, 8, 8)).sum().backward()
optimizer.step()
torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "args": argparse.Namespace(lr=0.1, name="old")},
           folder + "/old_checkpoint.pt")
base = torch.arange(24.0)
torch.save({"a": base, "b": base[4:10], "t": base.view(4, 6).t(), "h": base.half(), 5: (1, [2, {3}]), "n": torch.tensor(float("nan"))},
           folder + "/old_views.pt")
