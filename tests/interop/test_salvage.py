# torch archives that were cut or damaged: what `extract --salvage` rescues is loaded by torch and has every tensor whose bytes are whole, and no other; `verify` says the same.
import io
import json
import pathlib
import pickle
import pickletools
import random
import struct
import warnings
import zipfile

import numpy
import safetensors.torch
import torch
from common import FIXTURES, Tally, arguments, run, scratch

warnings.simplefilter("ignore")
options = arguments()
tally = Tally("salvage")


def tensors_of(value, path=""):
    """path -> tensor, of dicts, lists and tuples; the first path of each tensor alone."""
    if isinstance(value, torch.Tensor):
        return {path: value}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    found = {}
    for key, item in items:
        found.update(tensors_of(item, f"{path}/{key}" if path else str(key)))
    return found


def storages(raw):
    """key -> (begin, size) in the file."""
    found = {}
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        for info in archive.infolist():
            name, extra = struct.unpack("<HH", raw[info.header_offset + 26 : info.header_offset + 30])
            record = info.filename.split("/", 1)[1]
            found[record] = (info.header_offset + 30 + name + extra, info.file_size)
    return found


def needs(raw, value):
    """path -> (begin, end) of the bytes that the tensor needs in the file."""
    places = storages(raw)
    # The keys are those that torch gives in the order in which storages are met.
    keys, result = {}, {}
    for path, tensor in tensors_of(value).items():
        key = keys.setdefault(tensor.untyped_storage().data_ptr() if tensor.untyped_storage().nbytes() else ("empty", path), len(keys))
        begin, size = places[f"data/{key}"]
        last = tensor.storage_offset() + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride()))
        result[path] = (begin, begin + ((last + 1) * tensor.element_size() if tensor.numel() else 0), begin + size)
    return result


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and torch.equal(a.contiguous().view(torch.uint8) if a.numel() and a.dim() else a.reshape(-1).contiguous().view(torch.uint8),
                                                                    b.contiguous().view(torch.uint8) if b.numel() and b.dim() else b.reshape(-1).contiguous().view(torch.uint8))


def rescue(folder, content, name):
    damaged, rescued = folder / "damaged.pt", folder / "rescued.pt"
    damaged.write_bytes(content)
    rescued.unlink(missing_ok=True)
    code, out, err = run(options.ckpt, "extract", "--salvage", damaged, "-o", rescued)
    tally.check(code in (0, 4, 7), f"{name}: exit {code} {err[:300]}")
    tally.check(rescued.exists() == (code in (0, 7)), f"{name}: exit {code}, output there: {rescued.exists()}")
    if not rescued.exists():
        return code, None, err
    try:
        return code, torch.load(rescued, weights_only=True), err
    except Exception as error:
        tally.check(False, f"{name}: {type(error).__name__} {error}"[:300])
        return code, None, err


def expect(folder, content, value, whole, name):
    code, got, err = rescue(folder, content, name)
    found = {} if got is None else tensors_of(got)
    before = tensors_of(value)
    tally.check(set(found) == set(whole), f"{name}: too many {sorted(set(found) - set(whole))[:4]}, too few {sorted(set(whole) - set(found))[:4]} exit {code}")
    for path, tensor in found.items():
        if path in before:
            tally.check(same(tensor, before[path]), f"{name}: {path} differs")
    for path in set(before) - set(whole):
        if got is not None:
            tally.check(f"'{path}' is lost" in err or "data.pkl" in err, f"{name}: {path} is not listed: {err[:300]}")
    if got is not None:
        code, out, _ = run(options.ckpt, "verify", "--json", "--full", folder / "damaged.pt")
        findings = json.loads(out)["checkpoints"][0]["findings"]
        noted = {f["path"] for f in findings if f["what"].startswith("is whole")}
        tally.check(code in (0, 1) and (code == 0 or noted == set(whole) or not noted), f"{name}: verify {code}, {len(noted)} of {len(whole)} whole")


def saved(value, **settings):
    file = io.BytesIO()
    torch.save(value, file, **settings)
    return file.getvalue()


def checkpoints():
    torch.manual_seed(1)
    model = torch.nn.Sequential(torch.nn.Linear(40, 30), torch.nn.BatchNorm1d(30), torch.nn.Linear(30, 10))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.randn(8, 40)).sum().backward()
    optimizer.step()
    yield "training", {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "loss": [0.5, 0.25], "name": "run"}
    flat = torch.randn(5000)
    yield "views", {"a": flat[:100], "b": flat[100:4000], "c": flat[4000:], "d": flat[::2][:50], "tied": flat[:100]}
    yield "dtypes", {str(dtype): torch.arange(2000).to(dtype) for dtype in (torch.float64, torch.bfloat16, torch.int8, torch.bool, torch.complex64, torch.float8_e5m2, torch.uint16)}
    yield "many", {f"layer.{i}": torch.full((i,), float(i)) for i in range(1, 80)}
    yield "empty", {"first": torch.randn(400), "none": torch.zeros(0), "no_rows": torch.zeros(0, 7, dtype=torch.int32), "last": torch.randn(300)}
    yield "lists", [torch.randn(300), (torch.randn(200), {"x": torch.randn(100)}), torch.randn(1)]


def whole_of(value, places, cut):
    return {path for path, (begin, end, _) in places.items() if end <= cut or begin == end}


with scratch() as name:
    folder = pathlib.Path(name)
    chance = random.Random(1)
    for kind, value in checkpoints():
        raw = saved(value)
        places = needs(raw, value)
        directory = raw.find(b"PK\1\2", max(end for _, _, end in places.values()))
        pickle_end = storages(raw)["data.pkl"][0] + storages(raw)["data.pkl"][1]
        expect(folder, raw, value, set(places), f"{kind}, whole")
        cuts = {len(raw) - 1, len(raw) - 22, len(raw) - 100, directory, directory + 5, directory - 1, pickle_end, pickle_end + 1}
        for _, end, _ in places.values():
            cuts |= {end - 1, end, end + 1, end + 15, end + 16}
        cuts |= {chance.randrange(pickle_end, len(raw)) for _ in range(15)}
        for cut in sorted(chance.sample(sorted(cuts), min(len(cuts), 45))):
            if cut < pickle_end:
                continue
            expect(folder, raw[:cut], value, whole_of(value, places, cut), f"{kind}, cut at {cut} of {len(raw)}")
        # Cut within the pickle: nothing that has bytes is there.
        for cut in (pickle_end - 5, pickle_end // 2, 60, 10):
            code, got, err = rescue(folder, raw[:cut], f"{kind}, cut at {cut}")
            tally.check(code in (4, 7) and not {p for p, t in tensors_of(got if got is not None else {}).items() if t.numel()}, f"{kind}, cut at {cut}: exit {code} {err[:200]}")
        # The rest is zeros, as after a power failure.
        for _ in range(8):
            cut = chance.randrange(pickle_end, directory)
            zeroed = raw[:cut] + b"\0" * (len(raw) - cut)
            # A storage whose descriptor is zeros is not known to be whole; one in which the zeros begin is not, unless its own bytes are zeros.
            whole = {path for path, (_, end, all_end) in places.items() if all_end + 16 <= cut or (end <= cut and all_end > cut and end < all_end) or end == 0}
            code, got, err = rescue(folder, zeroed, f"{kind}, zeros from {cut}")
            found = tensors_of(got) if got is not None else {}
            before = tensors_of(value)
            tally.check(all(same(t, before[p]) for p, t in found.items()), f"{kind}, zeros from {cut}: wrong numbers")
            tally.check({p for p, (_, _, all_end) in places.items() if all_end + 16 <= cut} <= set(found), f"{kind}, zeros from {cut}: too few")
        # A hole in the pickle: what it names before that is there.
        begin, size = storages(raw)["data.pkl"]
        for part in (0.3, 0.5, 0.8, 0.95):
            hole = begin + int(size * part)
            code, got, err = rescue(folder, raw[:hole] + b"\0" * 16 + raw[hole + 16 :], f"{kind}, a hole at {part} of the pickle")
            found, before = tensors_of(got) if got is not None else {}, tensors_of(value)
            # A tuple that was not closed leaves its items to the list that it was for.
            tally.check(all(p in before and same(t, before[p]) or kind == "lists" and any(same(t, b) for b in before.values()) for p, t in found.items()), f"{kind}, a hole at {part} of the pickle: wrong")
            tally.check(kind == "lists" or len(found) >= int(len(before) * part) - 3, f"{kind}, a hole at {part} of the pickle: {len(found)} of {len(before)}, exit {code} {err[:200]}")
        # A letter changed in the pickle: the checksum tells that names may be wrong.
        at = raw.find(b"layer.5") if kind == "many" else raw.find(b"epoch")
        if begin < at < begin + size:
            code, got, err = rescue(folder, raw[:at] + b"m" + raw[at + 1 :], f"{kind}, a letter of the pickle changed")
            tally.check(code == 7 and "data.pkl has the checksum" in err, f"{kind}, a letter of the pickle changed: exit {code} {err[:200]}")
        # One byte changed in a storage: its checksum tells.
        path = chance.choice([p for p, (b, e, _) in places.items() if e > b])
        at = places[path][0]
        changed = raw[:at] + bytes([raw[at] ^ 255]) + raw[at + 1 :]
        hurt = {p for p, (b, e, _) in places.items() if b == at and e > b}
        expect(folder, changed, value, set(places) - hurt, f"{kind}, a byte of {path} changed")
        expect(folder, changed[:directory], value, set(places) - hurt, f"{kind}, a byte of {path} changed, no directory")
        # A byte of the directory destroyed: what stands behind it there is found by its own header.
        at = raw.find(b"PK\1\2", directory + 1)
        code, got, err = rescue(folder, raw[:at] + b"\0" + raw[at + 1 :], f"{kind}, the directory damaged")
        tally.check(got is not None and set(tensors_of(got)) == set(places), f"{kind}, the directory damaged: exit {code} {err[:300]}")
        # A local header destroyed, the directory whole.
        at = raw.rfind(b"PK\3\4", 0, places[path][0])
        expect(folder, raw[:at] + b"\0\0\0\0" + raw[at + 4 :], value, set(places) - hurt, f"{kind}, the header of {path} destroyed")
        # Checksums switched off.
        torch.serialization.set_crc32_options(False)
        unchecked = saved(value)
        torch.serialization.set_crc32_options(True)
        expect(folder, unchecked, value, set(places), f"{kind}, without checksums")
        expect(folder, unchecked[:directory], value, set(places), f"{kind}, without checksums and directory")
        code, out, _ = run(options.ckpt, "verify", "--full", folder / "damaged.pt")
        (folder / "damaged.pt").write_bytes(unchecked)
        code, out, _ = run(options.ckpt, "verify", "--full", folder / "damaged.pt")
        tally.check(code == 0 and out.count("\n") <= 2 and "note" in out, f"{kind}, without checksums: verify {code} {out[:300]}")
        code, out, _ = run(options.ckpt, "verify", folder / "damaged.pt")
        tally.check(code == 0 and "no checksum" in out and "ok" in out, f"{kind}, without checksums: verify {code} {out[:300]}")
        # The same archive as Python writes it: sizes in the local headers, no descriptors.
        other = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(other, "w") as new:
            for info in old.infolist():
                new.writestr(info.filename, old.read(info), zipfile.ZIP_DEFLATED if kind == "many" else zipfile.ZIP_STORED)
        expect(folder, other.getvalue(), value, set(places), f"{kind}, as Python writes it")
        expect(folder, other.getvalue()[: other.getvalue().rfind(b"PK\5\6")], value, set(places), f"{kind}, as Python writes it, no end record")
    # The stream of before torch 1.6: counts and bytes of all storages behind the pickles, in the order of their keys.
    for kind, value in checkpoints():
        value = {key: item for key, item in value.items() if "float8" not in key and "uint16" not in key} if isinstance(value, dict) else value
        raw = saved(value, _use_new_zipfile_serialization=False)
        code, got, err = rescue(folder, raw, f"legacy {kind}, whole")
        tally.check(code == 0 and set(tensors_of(got)) == set(tensors_of(value)), f"legacy {kind}, whole: exit {code} {err[:200]}")
        stream, pickles = io.BytesIO(raw), []
        for _ in range(5):
            pickles.append(pickle.Unpickler(stream).load() if len(pickles) not in (3,) else [None for _ in pickletools.genops(stream)])
        keys, at, ends = pickles[4], stream.tell(), {}
        sizes = {str(t.untyped_storage()._cdata): t.untyped_storage().nbytes() for t in tensors_of(value).values()}
        for key in keys:
            begin, at = at + 8, at + 8 + sizes[key]
            ends[key] = (begin, at)
        for cut in sorted({chance.randrange(stream.tell(), len(raw)) for _ in range(12)} | {len(raw) - 1}):
            whole = set()
            for path, tensor in tensors_of(value).items():
                begin, end = ends[str(tensor.untyped_storage()._cdata)]
                last = tensor.storage_offset() + sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride()))
                if tensor.numel() == 0 or begin + (last + 1) * tensor.element_size() <= cut:
                    whole.add(path)
            expect(folder, raw[:cut], value, whole, f"legacy {kind}, cut at {cut} of {len(raw)}")
        code, got, err = rescue(folder, raw[: stream.tell() - 3], f"legacy {kind}, cut in the list of storages")
        tally.check(code == 4, f"legacy {kind}, cut in the list of storages: exit {code} {err[:200]}")
        first = stream.tell()
        code, got, err = rescue(folder, raw[:first] + bytes([raw[first] ^ 1]) + raw[first + 1 :], f"legacy {kind}, a wrong count")
        hurt = {p for p, t in tensors_of(value).items() if str(t.untyped_storage()._cdata) == keys[0] and t.numel()}
        rest = set(tensors_of(value)) - hurt
        tally.check(code == (4 if not rest else 7 if hurt else 0) and (not rest or set(tensors_of(got)) == rest), f"legacy {kind}, a wrong count: exit {code} {err[:200]}")
    for version in ("1.13", "2.2", "2.6", "2.13", "2.14"):
        for path in sorted((FIXTURES / "torch" / "by_version" / version).glob("*.pt")):
            raw = path.read_bytes()
            if not raw.startswith(b"PK"):
                continue
            try:
                value = torch.load(io.BytesIO(raw), weights_only=True)
            except Exception:
                tally.skip("not loaded with weights_only")
                continue
            code, got, err = rescue(folder, raw[: raw.rfind(b"PK\1\2")], f"{version}/{path.name}")
            if got is not None:
                before = {p: t for p, t in tensors_of(value).items() if not t.is_sparse and not t.is_quantized and t.layout == torch.strided and not t.is_meta and not t.is_nested}
                found = tensors_of(got)
                tally.check(all(p in found and same(found[p], t) for p, t in before.items()), f"{version}/{path.name}: {sorted(set(before) - set(found))[:4]} {err[:300]}")
    # safetensors files that were cut: the header says what is whole.
    torch.manual_seed(2)
    tensors = {f"layer.{i}": torch.randn(i, 7) for i in range(12)} | {"half": torch.randn(300).half(), "small": torch.randn(64).to(torch.float8_e4m3fn), "flags": torch.ones(5, dtype=torch.bool)}
    damaged, rescued = folder / "damaged.safetensors", folder / "rescued.safetensors"
    safetensors.torch.save_file(tensors, damaged, metadata={"format": "pt"})
    raw = damaged.read_bytes()
    data = 8 + struct.unpack("<Q", raw[:8])[0]
    header = {name: entry for name, entry in json.loads(raw[8:data]).items() if name != "__metadata__"}
    for cut in sorted({chance.randrange(data, len(raw)) for _ in range(40)} | {data - 1, len(raw) - 1}):
        damaged.write_bytes(raw[:cut])
        rescued.unlink(missing_ok=True)
        whole = {name for name, entry in header.items() if data + entry["data_offsets"][1] <= cut and cut >= data}
        code, _, err = run(options.ckpt, "extract", "--salvage", damaged, "-o", rescued)
        tally.check(code == (7 if whole else 4) and rescued.exists() == bool(whole), f"safetensors, cut at {cut}: exit {code} {err[:200]}")
        if rescued.exists():
            found = safetensors.torch.load_file(rescued)
            tally.check(set(found) == whole and all(same(found[name], tensors[name]) for name in found), f"safetensors, cut at {cut}: {sorted(set(found) ^ whole)[:4]}")
tally.finish()
