# Writes torch/blocks.pt: what `inspect` folds (numbered blocks, like siblings), ties, and a storage kept alive by a small view.
# Run with torch 2.13: make_blocks.py FOLDER
import argparse
import pathlib
import sys

import torch


def main():
    folder = pathlib.Path(sys.argv[1])
    torch.manual_seed(1)
    model = {"embed.weight": torch.randn(8, 4)}
    for layer in range(4):
        model[f"layers.{layer}.attn.weight"] = torch.randn(4, 4)
        model[f"layers.{layer}.attn.bias"] = torch.randn(4)
        model[f"layers.{layer}.mlp.weight"] = torch.randn(4, 4)
    model["head.weight"] = model["embed.weight"][:]
    parameters = [torch.nn.Parameter(value.clone()) for value in model.values()]
    optimizer = torch.optim.SGD(parameters, lr=0.03, momentum=0.9)
    sum(parameter.sum() for parameter in parameters).backward()
    optimizer.step()
    torch.save(
        {
            "model": model,
            "optimizer": optimizer.state_dict(),
            "scheduler": None,
            "args": argparse.Namespace(model="er", dataset="seq-cifar10", seed=1, lr=0.03, n_epochs=50, batch_size=32, notes="a, b",
                                       base_path="./data/", nowand=True, device=None, milestones=[35, 45]),
            "results": [[97.25, 88.125], [71.5, 69.0, 68.5]],
            "buffer": {"examples": torch.zeros(4096)[:64], "labels": [1, 2, 3]},
        },
        folder / "blocks.pt",
    )


main()
