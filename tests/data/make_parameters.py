# Writes torch/parameters.pt (Parameters of sparse, nested and meta tensors), torch/protocol0.pt and protocol1.pt (pickles of
# the old protocols). Run with torch 2.13: make_parameters.py FOLDER
import argparse
import pathlib
import sys

import torch


def main():
    folder = pathlib.Path(sys.argv[1])
    torch.manual_seed(1)
    parameter = torch.nn.Parameter
    noted = parameter(torch.empty(2, 3, device="meta"))
    noted.note = [1, "two"]
    torch.save(
        {
            "coo": parameter(torch.randn(3, 4).relu().to_sparse()),
            "csr": parameter(torch.randn(3, 4).to_sparse_csr(), requires_grad=False),
            "nested": parameter(torch.nested.nested_tensor([torch.randn(2, 3), torch.randn(4, 3)])),
            "meta": parameter(torch.empty(2, 3, device="meta")),
            "noted": noted,
        },
        folder / "parameters.pt",
    )
    plain = {"args": argparse.Namespace(lr=0.1, name="é"), "list": [1, 2.5, True, None, 2**40, "a\n\\b"], 3: (1, 2, ()), "bytes": b"\xff", "set": {1}}
    torch.save(plain, folder / "protocol0.pt", pickle_protocol=0)
    torch.save({**plain, "w": torch.randn(2, 2)}, folder / "protocol1.pt", pickle_protocol=1)


main()
