# Writes rounding.txt: doubles near the steps of each small float type, and the bits that torch 2.13.0 rounds them to.
# Usage: python make_rounding.py > rounding.txt
import random

import torch

random.seed(1)
# Each type with half the distance between neighbours, relative to a power of two.
TYPES = {"float16": 2**-11, "bfloat16": 2**-8, "float8_e4m3fn": 2**-4, "float8_e5m2": 2**-3, "float8_e4m3fnuz": 2**-4,
         "float8_e5m2fnuz": 2**-3, "float8_e8m0fnu": 0.5}


def codes_of(name):
    if name.startswith("float8"):
        return torch.arange(256, dtype=torch.int32).to(torch.uint8)
    edges = [0, 1, 2, 3, 0x3FF, 0x400, 0x401, 0x7BFF, 0x7C00, 0x7F7F, 0x7F80, 0x7F, 0x80]
    return torch.tensor([random.randrange(65536) - 32768 for _ in range(60)] + edges, dtype=torch.int16)


def interesting():
    found = set()
    for name, half in TYPES.items():
        exact = codes_of(name).view(getattr(torch, name)).double()
        exact = exact[torch.isfinite(exact)].tolist()
        if name.startswith("float8"):
            exact = random.sample(exact, 40)
        for value in sorted(set(exact)):
            for step in (0, half, *(half * (1 + sign * 2**-bits) for bits in (20, 40) for sign in (1, -1))):
                found.add(value * (1 + step))
        largest = max(abs(value) for value in exact)
        found |= {sign * largest * step for step in (1.01, 1.03, 1.06, 1.0625, 1.07, 1.125, 1.2, 2, 4) for sign in (1, -1)}
    found = random.sample(sorted(value for value in found if abs(value) < 3e38), 600)
    infinity = float("inf")
    return found + [0.0, -0.0, infinity, -infinity, 1e-45, 1e-50, 2**-149, 2**-127, 2**-128, 3 * 2**-128, 2**-126 * 1.5, 1e300, -1e300,
                    65519.99, 65520.0, -65520.0]


print("# value", *TYPES)
for value in interesting():
    bits = []
    for name in TYPES:
        is_byte = name.startswith("float8")
        rounded = torch.tensor([value], dtype=torch.float64).to(getattr(torch, name)).view(torch.uint8 if is_byte else torch.int16)
        bits.append(format(rounded.item() & (0xFF if is_byte else 0xFFFF), "x"))
    print(float(value).hex(), *bits)
