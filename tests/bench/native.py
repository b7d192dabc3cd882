# What the native layout's codecs come to beside zipnn, zstd -3 and zstd -19: sizes and single-thread speeds in memory, in one run.
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import torch

parser = argparse.ArgumentParser()
parser.add_argument("--coder", required=True)
parser.add_argument("--mib", type=int, default=512, help="of each of the two kinds of model tensors; the other inputs are a quarter")
parser.add_argument("--zstd19-mib", type=int, default=16, help="zstd -19 is too slow for more")
options = parser.parse_args()
torch.set_num_threads(1)
generator = torch.Generator().manual_seed(0)


def layers(dtype, mib):
    """Normal weights, each layer with a scale of its own."""
    per_layer, count = 1 << 20, (mib << 20) // torch.tensor([], dtype=dtype).element_size()
    scales = torch.linspace(0.005, 0.08, max(1, count // per_layer))
    return torch.cat([torch.randn(min(per_layer, count), generator=generator) * s for s in scales])[:count].to(dtype)


def inputs():
    quarter = max(1, options.mib // 4)
    yield "model bfloat16", "bfloat16", layers(torch.bfloat16, options.mib)
    yield "model float32", "float32", layers(torch.float32, options.mib)
    for dtype in (torch.bfloat16, torch.float32):
        sparse = layers(dtype, quarter)
        sparse[torch.rand(len(sparse), generator=generator) < 0.9] = 0
        yield f"90% zeros {str(dtype)[6:]}", str(dtype)[6:], sparse
    codes = torch.randn(quarter << 20, generator=generator) * 30
    yield "quantized int8", "int8", codes.round().clamp(-127, 127).to(torch.int8)
    gradient = layers(torch.float32, quarter)
    yield "Adam exp_avg", "float32", gradient * 1e-3
    yield "Adam exp_avg_sq", "float32", gradient * gradient * 1e-6


def zipnn_line(data, dtype):
    import zipnn

    coder = zipnn.ZipNN(method="auto", input_format="byte", bytearray_dtype=dtype, threads=1)
    encode, decode = [], []
    for _ in range(3):
        begin = time.perf_counter()
        stored = coder.compress(bytearray(data))
        middle = time.perf_counter()
        back = coder.decompress(stored)
        encode.append(middle - begin)
        decode.append(time.perf_counter() - middle)
    if bytes(back) != data:
        print("zipnn: did not come back", file=sys.stderr)
    return {"ratio": len(stored) / len(data), "compress_gbs": len(data) / min(encode) / 1e9, "decompress_gbs": len(data) / min(decode) / 1e9}


print(f"{'input':24}{'coder':10}{'size':>9}{'compress':>14}{'decompress':>14}")
with tempfile.TemporaryDirectory(prefix="ckpt-bench-") as folder:
    for name, dtype, tensor in inputs():
        data = tensor.contiguous().view(torch.uint8).numpy().tobytes()
        path = pathlib.Path(folder) / "raw"
        path.write_bytes(data)
        rows = json.loads(subprocess.run([options.coder, str(path), dtype, str(options.zstd19_mib)], check=True, capture_output=True, text=True).stdout)
        if dtype in ("bfloat16", "float32"):
            rows["zipnn"] = zipnn_line(data, dtype)
        for coder, row in rows.items():
            print(f"{name:24}{coder:10}{100 * row['ratio']:8.3f}%{row['compress_gbs']:9.3f} GB/s{row['decompress_gbs']:9.3f} GB/s")
        if name.startswith("model"):
            ours, peer = rows["native"], rows["zipnn"]
            ratios = (ours["ratio"] / peer["ratio"], ours["compress_gbs"] / peer["compress_gbs"], ours["decompress_gbs"] / peer["decompress_gbs"])
            print(f"{'':24}against zipnn: size x{ratios[0]:.4f} (wanted: 1 at most), compression x{ratios[1]:.2f} (2), decompression x{ratios[2]:.2f} (1.5)")
