# Older and neighbouring torch files: what torch itself makes of them, against what it makes of ours. Whole modules by the names of their state dicts.
import io
import pathlib
import pickle
import struct
import tarfile
import warnings

import torch
from safetensors.torch import load_file

from common import DATA, FIXTURES, Tally, arguments, run, scratch, stub_module
from same import differences, tensor_bits

options = arguments()
tally = Tally("older torch files")
stubs = stub_module()
torch.manual_seed(3)
warnings.simplefilter("ignore")  # torch on classes whose source it does not find, quantization, scripts


def load(path):
    return torch.load(path, map_location="cpu", weights_only=False, pickle_module=stubs)


def converts(path, name, folder, wanted=None):
    """Ours, loaded by torch, is what torch loads from the original (or `wanted`)."""
    out = folder / "converted.pt"
    code, stdout, err = run(options.ckpt, "convert", path, out, "--overwrite")
    if not tally.check(code == 0 and stdout == "", f"{name}: convert exits with {code}: {err.strip()[:300]}"):
        return
    tally.check(out.read_bytes()[:4] == b"PK\3\4", f"{name}: not written as the zip of today")
    if wanted is None:
        try:
            wanted = load(path)
        except Exception as error:
            return tally.skip(f"torch cannot load it here: {type(error).__name__}")
    found = differences(wanted, load(out))
    tally.check(not found, f"{name}: " + "; ".join(found))


def same_state(name, wanted, found):
    """Names in order, values bit by bit, and which of them are tied."""
    if not tally.check(list(wanted) == list(found), f"{name}: names {list(wanted)[:6]} are {list(found)[:6]}"):
        return
    for key in wanted:
        a, b = wanted[key], found[key]
        same = a.shape == b.shape and a.dtype == b.dtype and not b.requires_grad and type(b) is torch.Tensor and tensor_bits(a) == tensor_bits(b)
        tally.check(same, f"{name}: {key} differs")
    def ties(state):
        return [[list(state).index(other) for other in state if state[other].data_ptr() == state[key].data_ptr() and state[key].numel()] for key in state]
    tally.check(ties(wanted) == ties(found), f"{name}: other ties")


def model_only(path, name, folder, wanted):
    out = folder / "model.pt"
    code, stdout, err = run(options.ckpt, "extract", "--model-only", path, "-o", out, "--overwrite")
    if tally.check(code == 0, f"{name}: extract --model-only exits with {code}: {err.strip()[:300]}"):
        same_state(f"{name}, model only", wanted, torch.load(out, weights_only=True))


def to_safetensors(path, name, folder, wanted):
    """A layout without objects: the same names, tied ones once."""
    out = folder / "model.safetensors"
    code, stdout, err = run(options.ckpt, "convert", path, out, "--overwrite")
    if not tally.check(code == 0, f"{name}: convert to safetensors exits with {code}: {err.strip()[:300]}"):
        return
    found = load_file(out)
    kept = {(wanted[k].data_ptr(), wanted[k].shape, wanted[k].stride()) if wanted[k].numel() else k for k in wanted}
    tally.check(len(found) == len(kept), f"{name}: {len(found)} tensors in safetensors, {len(kept)} are there")
    for key, value in found.items():
        tally.check(key in wanted and tensor_bits(wanted[key]) == tensor_bits(value), f"{name}: {key} differs in safetensors")


# ---- the tar kind, written as torch 0.1.1 did

def write_tar(path, objects, views=(), protocol=2, format=tarfile.PAX_FORMAT):
    """`objects`: a function from a `tensor` maker to the object; tensors are pickled by number, storages by theirs."""
    storages, tensors = {}, {}

    class Named:
        def __init__(self, key):
            self.key = key

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return value.key if isinstance(value, Named) else None

    names = {torch.float32: b"FloatStorage", torch.float64: b"DoubleStorage", torch.int64: b"LongStorage", torch.uint8: b"ByteStorage", torch.float16: b"HalfStorage"}

    def storage(key, values):
        storages[key] = values
        return Named(key)

    def tensor(key, storage_key, shape, stride, offset=0):
        tensors[key] = (storage_key, shape, stride, offset)
        return Named(key)

    def tagged(key, last, word):  # a tuple whose last item is a class of torch
        return pickle.dumps((key, word), 2)[:-3] + b"ctorch\n" + last + b"\n" + b"\x87."

    body = io.BytesIO()
    made = objects(storage, tensor)
    Pickler(body, protocol).dump(made)
    storage_bytes = pickle.dumps(len(storages), 2)
    for key, values in storages.items():
        head = b"\x80\x02" + pickle.dumps(key, 2)[2:-1] + pickle.dumps("cpu", 2)[2:-1] + b"ctorch\n" + names[values.dtype] + b"\n\x87."
        storage_bytes += head + struct.pack("<q", values.numel()) + values.numpy().tobytes()
    storage_bytes += pickle.dumps(list(views), 2)
    tensor_bytes = pickle.dumps(len(tensors), 2)
    for key, (storage_key, shape, stride, offset) in tensors.items():
        head = b"\x80\x02" + pickle.dumps(key, 2)[2:-1] + pickle.dumps(storage_key, 2)[2:-1] + b"ctorch\nFloatTensor\n\x87."
        tensor_bytes += head + struct.pack("<ii", len(shape), 0) + struct.pack(f"<{len(shape)}q", *shape) + struct.pack(f"<{len(shape)}q", *stride) + struct.pack("<q", offset)
    with tarfile.open(path, "w:", format=format) as tar:
        for name, content in (("sys_info", pickle.dumps({"protocol_version": 1000, "little_endian": True}, 2)), ("pickle", body.getvalue()),
                              ("tensors", tensor_bytes), ("storages", storage_bytes)):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def tar_objects(storage, tensor):
    storage(10, torch.arange(24.0))
    storage(11, torch.arange(5, dtype=torch.int64))
    storage(12, torch.randn(6, dtype=torch.float64))
    storage(13, torch.arange(7, dtype=torch.uint8))
    storage(14, torch.randn(0))
    base = tensor(20, 10, (4, 6), (6, 1))
    return {"w": base, "same": base, "columns": tensor(21, 10, (6, 4), (1, 6)), "slice": tensor(22, 10, (5,), (2,), 3), "n": tensor(23, 11, (5,), (1,)),
            "d": [tensor(24, 12, (2, 3), (3, 1)), {"b": tensor(25, 13, (7,), (1,))}], "scalar": tensor(26, 10, (), (), 4), "empty": tensor(27, 14, (0, 3), (3, 1)),
            "epoch": 7, "name": "näme", 3: (1, None, 2.5)}


with scratch() as name:
    folder = pathlib.Path(name)
    for format in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT):
        write_tar(folder / "old.tar.pt", tar_objects, format=format)
        converts(folder / "old.tar.pt", f"tar (format {format})", folder)
    def with_views(storage, tensor):
        storage(10, torch.arange(24.0))
        return {"whole": tensor(20, 10, (24,), (1,)), "part": tensor(21, 30, (4,), (1,)), "again": tensor(22, 30, (2, 2), (2, 1))}
    write_tar(folder / "views.pt", with_views, views=[(30, 10, 8, 4)])
    converts(folder / "views.pt", "tar with a view of a storage", folder)
    code, out, err = run(options.ckpt, "inspect", folder / "views.pt")
    tally.check(code == 0 and "torch-tar" in out, f"tar: inspect says {out[:100]}")
    whole = (folder / "old.tar.pt").read_bytes()
    for size in range(512, len(whole.rstrip(b"\0")), 37):
        (folder / "cut.pt").write_bytes(whole[:size])
        code, out, err = run(options.ckpt, "inspect", folder / "cut.pt")
        if not tally.check(code == 4 and out == "" and err.count("\n") == 1, f"tar cut at {size}: exit {code}: {err.strip()[:200]}"):
            break

    # ---- legacy streams: of this torch, and the fixtures
    base = torch.arange(60.0)
    values = {"base": base, "view": base[3:20:2], "t": base.view(6, 10).t(), "half": torch.randn(5).half(), "bf": torch.randn(5).bfloat16(), "z": torch.zeros(0, 3), "c": torch.randn(3, dtype=torch.complex64),
              "p": torch.nn.Parameter(torch.randn(2, 2)), "tied": [base, base], "text": "näme", 1: (True, None), "s": torch.eye(3).to_sparse(), "q": torch.quantize_per_tensor(torch.randn(4), 0.1, 3, torch.qint8)}
    for protocol in (1, 2, 3, 4, 5):
        path = folder / f"legacy{protocol}.pt"
        torch.save(values, path, pickle_protocol=protocol, _use_new_zipfile_serialization=False)
        converts(path, f"legacy, protocol {protocol}", folder)
        code, out, err = run(options.ckpt, "inspect", path)
        tally.check(code == 0 and "torch-legacy" in out and err == "", f"legacy, protocol {protocol}: {out[:80]} {err}")
        whole = path.read_bytes()
        for size in list(range(1, 200)) + list(range(200, len(whole), 29)):
            (folder / "cut.pt").write_bytes(whole[:size])
            code, out, err = run(options.ckpt, "inspect", folder / "cut.pt")
            if not tally.check(code == 4 and out == "" and err.count("\n") == 1, f"legacy, protocol {protocol}, cut at {size}: exit {code}: {err.strip()[:200]}"):
                break
    many = [torch.full((3,), float(i)) for i in range(3000)]
    torch.save(many, folder / "many.pt", _use_new_zipfile_serialization=False)
    converts(folder / "many.pt", "legacy, 3000 tensors", folder)

    # ---- whole modules
    class Inner(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_parameter("none", None)
            self.linear = torch.nn.Linear(3, 3)
            self.register_buffer("kept", torch.arange(4))
            self.register_buffer("passing", torch.arange(5), persistent=False)
            self.register_buffer("absent", None)
            self.norm = torch.nn.BatchNorm1d(3)

    class Outer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.randn(2))
            self.first = Inner()
            self.second = self.first  # a shared module
            self.head = torch.nn.Linear(3, 3)
            self.head.weight = self.first.linear.weight  # a tied parameter
            self.parts = torch.nn.ModuleDict({"relu": torch.nn.ReLU(), "list": torch.nn.ModuleList([torch.nn.Linear(3, 1), torch.nn.Embedding(4, 2)])})
            self.weights = torch.nn.ParameterList([torch.nn.Parameter(torch.randn(2)), torch.nn.Parameter(torch.randn(1))])
            self.gru = torch.nn.GRU(3, 4, bidirectional=True)
            self.absent = None
            self.note = {"lr": 0.1}

    for module in (Outer(), torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Flatten()), torch.nn.TransformerEncoderLayer(4, 2, 8, batch_first=True),
                   torch.nn.MultiheadAttention(4, 2)):
        kind = type(module).__name__
        wanted = module.state_dict()
        for form, keywords in (("zip", {}), ("legacy", {"_use_new_zipfile_serialization": False})):
            path = folder / f"{kind}.{form}.pt"
            torch.save(module, path, **keywords)
            model_only(path, f"module {kind} ({form})", folder, wanted)
            to_safetensors(path, f"module {kind} ({form})", folder, wanted)
        torch.save({"epoch": 3, "net": module, "loss": torch.nn.CrossEntropyLoss(weight=torch.ones(2)), "optimizer": torch.optim.SGD(module.parameters(), lr=0.1)}, folder / "dict.pt")
        model_only(folder / "dict.pt", f"module {kind} in a dict", folder, wanted)
        torch.save({"epoch": 3, "mine": module}, folder / "named.pt")
        model_only(folder / "named.pt", f"module {kind} under a name of the user's", folder, wanted)
        code, out, err = run(options.ckpt, "convert", folder / "named.pt", folder / "named.safetensors", "--allow-loss", "--overwrite")
        tally.check(code == 0 and all(k.startswith("mine.") for k in load_file(folder / "named.safetensors")), f"module {kind} in a dict: names in safetensors: {err[:200]}")
        code, out, err = run(options.ckpt, "convert", path, folder / "m.ckpt", "--overwrite")
        tally.check(code == 0, f"module {kind}: to native: {err[:200]}")
        model_only(folder / "m.ckpt", f"module {kind} by way of the native layout", folder, wanted)
        shown = run(options.ckpt, "inspect", "--json", path)[1]
        tally.check('"_parameters"' in shown or "_parameters" in shown, f"module {kind}: inspect keeps the file's tree")

    # ---- TorchScript
    class Scripted(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(3, 3)
            self.norm = torch.nn.BatchNorm1d(3)
            self.other = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.ReLU(), torch.nn.Linear(3, 3))
            self.register_buffer("mean", torch.randn(3))
            self.plain = torch.randn(2)

        def forward(self, x: torch.Tensor):
            return self.other(self.norm(self.linear(x))) - self.mean + self.plain.sum()

    for kind, script in (("script", torch.jit.script(Scripted().eval())), ("trace", torch.jit.trace(Scripted().eval(), torch.zeros(2, 3)))):
        path = folder / f"{kind}.pt"
        torch.jit.save(script, str(path))
        wanted = torch.jit.load(str(path)).state_dict()
        model_only(path, f"TorchScript ({kind})", folder, {k: v.detach() for k, v in wanted.items()})
        to_safetensors(path, f"TorchScript ({kind})", folder, wanted)
        code, out, err = run(options.ckpt, "inspect", path)
        tally.check(code == 0 and "torchscript" in out and err == "", f"TorchScript ({kind}): {out[:80]} {err}")
        code, out, err = run(options.ckpt, "verify", "--full", path)
        tally.check(code == 0, f"TorchScript ({kind}): verify: {out} {err}")

    # ---- torch.package
    from torch.package import PackageExporter, PackageImporter
    shared = torch.randn(6)
    with PackageExporter(str(folder / "package.pt")) as exporter:
        exporter.extern(["numpy.**", "torch.**", "collections"])
        exporter.save_pickle("model", "weights.pkl", {"a": shared, "b": shared[2:], "n": torch.arange(3)})
        exporter.save_pickle("model", "again.pkl", [shared.view(2, 3), "text"])
        exporter.save_text("notes", "readme.txt", "ein Wört\n")
        exporter.save_binary("blobs", "raw.bin", bytes(range(256)))
    importer = PackageImporter(str(folder / "package.pt"))
    found_path = folder / "package.out.pt"
    code, out, err = run(options.ckpt, "convert", folder / "package.pt", found_path)
    if tally.check(code == 0, f"package: convert exits with {code}: {err}"):
        found = load(found_path)
        wanted = {"model/weights.pkl": importer.load_pickle("model", "weights.pkl"), "model/again.pkl": importer.load_pickle("model", "again.pkl"),
                  "notes/readme.txt": importer.load_text("notes", "readme.txt"), "blobs/raw.bin": importer.load_binary("blobs", "raw.bin")}
        tally.check(set(found) == set(wanted), f"package: {list(found)}")
        for key in wanted:
            problems = differences(wanted[key], found[key])
            tally.check(not problems, f"package: {key}: {problems}")
        tally.check(found["model/weights.pkl"]["a"].data_ptr() == found["model/again.pkl"][0].data_ptr(), "package: one storage in two pickles")

    # ---- torch.export
    class Exported(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.l = torch.nn.Linear(3, 3)
            self.m = self.l
            self.register_buffer("b", torch.arange(3).to(torch.float8_e4m3fn))
            self.register_buffer("row", self.l.weight.detach()[1])
            self.register_buffer("c", torch.zeros(2, dtype=torch.complex64))
            self.register_buffer("i", torch.tensor(4), persistent=False)

        def forward(self, x):
            return self.m(self.l(x)) + self.row[0] + self.i + torch.ones(3)

    torch.export.save(torch.export.export(Exported(), (torch.zeros(1, 3),)), str(folder / "program.pt2"))
    program = torch.export.load(str(folder / "program.pt2"))
    code, out, err = run(options.ckpt, "convert", folder / "program.pt2", folder / "program.pt")
    if tally.check(code == 0, f"export: convert exits with {code}: {err}"):
        found = load(folder / "program.pt")
        for part, wanted in (("state_dict", program.state_dict), ("constants", program.constants)):
            tally.check(set(found[part]) == set(wanted), f"export: {part}: {list(found[part])} for {list(wanted)}")
            for key in wanted:
                tally.check(type(found[part][key]) is type(wanted[key]) and tensor_bits(found[part][key]) == tensor_bits(wanted[key]), f"export: {part}/{key}")
        code, out, err = run(options.ckpt, "extract", "--model-only", folder / "program.pt2", "-o", folder / "model.pt", "--overwrite")
        tally.check(code == 0 and set(torch.load(folder / "model.pt")) == set(program.state_dict), f"export, model only: {err}")

    # ---- torch.export before 2.8: what its save() wrote then, by today's serializer, as torch.export.load still takes it
    import zipfile
    from torch._export.serde.schema import SCHEMA_VERSION
    from torch._export.serde.serialize import serialize

    class Older(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.l = torch.nn.Linear(3, 3)
            self.register_buffer("b", torch.arange(3.0))
            self.c = torch.ones(2, 3)

        def forward(self, x):
            return self.l(x) + self.b + self.c.sum()

    artifact = serialize(torch.export.export(Older(), (torch.zeros(1, 3),)))
    for name, end, extra in (("older", "pt", False), ("oldest", "json", False), ("extra", "pt", True)):
        with zipfile.ZipFile(folder / f"{name}.pt2", "w") as archive:
            if extra:
                archive.writestr("extra_files/note.txt", "x")
            archive.writestr("serialized_exported_program.json", artifact.exported_program)
            archive.writestr(f"serialized_state_dict.{end}", artifact.state_dict)
            archive.writestr(f"serialized_constants.{end}", artifact.constants)
            archive.writestr("serialized_example_inputs.pt", artifact.example_inputs)
            archive.writestr("version", ".".join(map(str, SCHEMA_VERSION)))
        program = torch.export.load(str(folder / f"{name}.pt2"))
        code, out, err = run(options.ckpt, "convert", folder / f"{name}.pt2", folder / "program.pt", "--overwrite")
        if tally.check(code == 0, f"{name}.pt2: convert exits with {code}: {err}"):
            found = load(folder / "program.pt")
            for part, wanted in (("state_dict", program.state_dict), ("constants", program.constants)):
                tally.check(set(found[part]) == set(wanted) and all(tensor_bits(found[part][key]) == tensor_bits(wanted[key]) for key in wanted), f"{name}.pt2: {part}: {list(found[part])} for {list(wanted)}")
        code, out, err = run(options.ckpt, "verify", "--full", folder / f"{name}.pt2")
        tally.check(code == 0, f"{name}.pt2: verify: {out}{err}")

    # ---- the fixtures
    if FIXTURES.is_dir():
        for path in sorted((FIXTURES / "torch").rglob("*.pt")):
            if "legacy" in path.name and path.parent.name != "bad":
                converts(path, str(path.relative_to(FIXTURES)), folder)
        for path in sorted((FIXTURES / "torch").rglob("torchscript*.pt")):
            wanted = torch.jit.load(str(path)).state_dict()
            model_only(path, str(path.relative_to(FIXTURES)), folder, {k: v.detach() for k, v in wanted.items()})
    else:
        tally.skip("the fixture collection is not beside the repository")
tally.finish()
