# torch.distributed.checkpoint and Lightning Fabric load what ckpt writes, on other numbers of ranks, and ckpt reads what they save, value for value.
import json
import os
import pathlib
import pickle
import subprocess
import sys
import warnings

warnings.filterwarnings("ignore")
import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.default_planner import _EmptyStateDictLoadPlanner
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save
from torch.distributed.checkpoint.metadata import ChunkStorageMetadata, MetadataIndex
from torch.distributed.checkpoint.state_dict_loader import _load_state_dict

import torch_manifest
from check_manifests import check
from common import DATA, FIXTURES, HERE, Tally, arguments, run, scratch

options = arguments()
tally = Tally("dcp")
torch.manual_seed(5)


def loaded(folder):
    """What torch makes of a folder in one process."""
    state = {}
    _load_state_dict(state, storage_reader=FileSystemReader(folder), planner=_EmptyStateDictLoadPlanner(), no_dist=True)
    return state


def differences(a, b, path=""):
    """Values, types, shapes, element types; keys by name, since torch's order follows the ranks."""
    if isinstance(a, torch.Tensor) or isinstance(b, torch.Tensor):
        if not (isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor)) or a.dtype != b.dtype or a.shape != b.shape:
            return [f"{path}: another tensor"]
        a, b = a.detach().resolve_conj().resolve_neg().contiguous(), b.detach().resolve_conj().resolve_neg().contiguous()
        return [] if a.numel() == 0 or bytes(a.untyped_storage())[a.storage_offset() * a.element_size():][: a.numel() * a.element_size()] == bytes(b.untyped_storage())[b.storage_offset() * b.element_size():][: b.numel() * b.element_size()] else [f"{path}: other elements"]
    if isinstance(a, dict) and isinstance(b, dict):
        if set(a) != set(b):
            return [f"{path}: keys {sorted(map(str, set(a) ^ set(b)))[:6]}"]
        return [d for k in a for d in differences(a[k], b[k], f"{path}/{k}")]
    if type(a) is not type(b):
        return [f"{path}: {type(a).__name__} became {type(b).__name__}"]
    if isinstance(a, (list, tuple)):
        return [f"{path}: length"] if len(a) != len(b) else [d for i, (x, y) in enumerate(zip(a, b)) for d in differences(x, y, f"{path}/{i}")]
    return [] if a == b or (a != a and b != b) or repr(a) == repr(b) else [f"{path}: {a!r:.50} became {b!r:.50}"]


def without_empty(value):
    """torch's planner keeps no trace of an empty dict."""
    return {k: without_empty(v) for k, v in value.items() if v != {}} if isinstance(value, dict) else value


def convert(*args):
    code, _, err = run(options.ckpt, "convert", *args)
    return tally.check(code == 0, f"convert {' '.join(str(a) for a in args)}: exit {code}: {err.strip()[:300]}")


def ranks(count, kind, what, folder, **environment):
    """Real ranks on gloo; they end by themselves."""
    store = pathlib.Path(f"{folder}.store-{what}-{count}")
    done = subprocess.run([sys.executable, "-B", HERE / "dcp_ranks.py", str(count), kind, what, str(folder), str(store)], capture_output=True, text=True, timeout=600, env=dict(os.environ, **environment))
    return tally.check(done.returncode == 0, f"{count} ranks: {kind} {what} {pathlib.Path(folder).name}: {done.stderr.strip()[-600:]}")


# Samples, and the fixture collection where it is there: manifests, and what torch makes of the .pt.
for expected in sorted((DATA / "dcp").rglob("*.expected.json")):
    check(options.ckpt, expected, tally)
# torch reads neither its own folders of 1.13 nor, here, zstd: those have their manifests.
folders = [f for f in sorted((DATA / "dcp").iterdir()) if (f / ".metadata").exists() and not f.name.startswith(("torch_1_13", "zstd"))]
if FIXTURES.is_dir():
    for expected in sorted((FIXTURES / "dcp").glob("*.expected.json")) + sorted((FIXTURES / "fabric").glob("*.expected.json")):
        path = expected.with_name(expected.name[: -len(".expected.json")])
        if path.is_dir() and path.name == "hf_consolidated_2":
            # Its manifest has the order of the state dict that was saved, which no file of the folder tells: torch itself put the names
            # into the index and the files in another. All else must agree.
            manifest, (code, out, err) = json.loads(expected.read_text()), run(options.ckpt, "inspect", "--json", "--digest=sha256", path)
            if tally.check(code == 0, f"{path.name}: exit {code}: {err[:200]}"):
                ours = json.loads(out)
                for root in (manifest["entries"][0], ours["entries"][0]):
                    root["keys"].sort(key=lambda key: key["value"])
                problems = torch_manifest.compare(manifest, ours)
                tally.check(not problems and len(manifest["entries"]) == len(ours["entries"]), f"{path.name}: {problems[:3]}")
        elif path.is_dir():
            check(options.ckpt, expected, tally)
    folders += [f for f in sorted((FIXTURES / "dcp").iterdir()) if (f / ".metadata").exists() and not f.name.startswith(("torch_1_13", "zstd"))]
else:
    tally.skip("the fixture collection is not beside the repository")

with scratch() as name:
    folder = pathlib.Path(name)
    for number, source in enumerate(folders):
        want = loaded(source)
        if (source / "meta.pt").exists():
            want.update(torch.load(source / "meta.pt", weights_only=False))
        one = folder / f"{number}.pt"
        if not convert(source, one):
            continue
        have = torch.load(one, weights_only=False)
        tally.check(not differences(want, have), f"{source.name} as .pt: {differences(want, have)[:4]}")
        for shards in (1, 3):
            again = folder / f"{number}-{shards}"
            # torch wrote nested_off_1 without its planner's flat names, and could not load them: 'a.b' is there twice.
            if convert(source, again, "--to", "dcp", "--shards", shards) and source.name != "nested_off_1":
                want = without_empty(want)
                tally.check(not differences(want, loaded(again)), f"{source.name} in {shards} shards: {differences(want, loaded(again))[:4]}")
                dcp_to_torch_save(again, folder / "theirs.pt")
                theirs = torch.load(folder / "theirs.pt", weights_only=False)
                tally.check(not differences(want, theirs), f"{source.name} by dcp_to_torch_save: {differences(want, theirs)[:4]}")
    if FIXTURES.is_dir():
        for manifest in sorted((FIXTURES / "fabric").glob("*.consolidated.expected.json")):
            source = manifest.with_name(manifest.name[: -len(".consolidated.expected.json")])
            code, out, err = run(options.ckpt, "inspect", "--json", "--digest=sha256", source)
            problems = torch_manifest.compare(json.loads(manifest.read_text()), json.loads(out)) if code == 0 else [err]
            tally.check(not problems, f"{source.name} as Lightning consolidates it: {problems[:3]}")

    # A .pt with everything flat names cannot say: the way back has it, and torch loads the rest.
    import collections
    tied = torch.randn(5, 3)
    state = {"model": collections.OrderedDict(w=tied, head=tied, b=torch.randn(7).bfloat16(), p=torch.nn.Parameter(torch.randn(2, 2)), t=torch.randn(4, 6).t(), f8=torch.randn(9).to(torch.float8_e4m3fn), e=torch.zeros(0, 4)),
             "optimizer": {"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.randn(5, 3)}, 1: {"step": torch.tensor(3.0), "exp_avg": torch.randn(7)}}, "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999), "params": [0, 1]}]},
             "epoch": 4, "empty": {}, "mixed": [1, {}, torch.ones(2)], "pair": (torch.arange(3), "x"), "none": None, "set": {1, 2}, "text": "naïve", "bytes": b"\x00\xff", (1, "a"): 2.5}
    state["model"]._metadata = {"": {"version": 1}}
    torch.save(state, folder / "a.pt")
    for shards in (1, 2, 5):
        where = folder / f"a{shards}"
        if not convert(folder / "a.pt", where, "--to", "dcp", "--shards", shards) or not convert(where, folder / f"back{shards}.pt"):
            continue
        back = torch.load(folder / f"back{shards}.pt", weights_only=False)
        tally.check(not differences(state, back), f"there and back in {shards} shards: {differences(state, back)[:4]}")
        tally.check(list(back) == list(state) and list(back["model"]) == list(state["model"]) and type(back["model"]) is collections.OrderedDict and back["model"]._metadata == state["model"]._metadata, "order and classes")
        tally.check(back["model"]["w"].data_ptr() == back["model"]["head"].data_ptr() and isinstance(back["model"]["p"], torch.nn.Parameter), "ties and parameters")
        wanted = {"model": {k: torch.zeros_like(v) for k, v in state["model"].items()}, "epoch": 0, "text": "", "optimizer": {"state": {0: {"exp_avg": torch.zeros(5, 3)}}}}
        dcp.load(wanted, checkpoint_id=where, no_dist=True)
        tally.check(wanted["epoch"] == 4 and wanted["text"] == "naïve" and all(not differences(state["model"][k].detach(), v.detach()) for k, v in wanted["model"].items())
                    and torch.equal(wanted["optimizer"]["state"][0]["exp_avg"], state["optimizer"]["state"][0]["exp_avg"]), f"dcp.load of {shards} shards")
        chunks = FileSystemReader(where).read_metadata().state_dict_metadata["model.w"].chunks
        theirs = torch.chunk(tied, shards)
        tally.check([list(c.sizes) for c in chunks] == [list(t.shape) for t in theirs], f"rows as torch.chunk divides them among {shards}")
    code, out, err = run(options.ckpt, "inspect", folder / "a2")
    tally.check(code == 0 and err == "", f"ties of our own are no surprise: {err}")

    # The safetensors kind, both ways.
    flat = {f"layer.{k}": v for k, v in {"w": torch.randn(7, 3), "b": torch.randn(2), "i": torch.arange(5), "z": torch.zeros(0, 2), "s": torch.tensor(1.5)}.items()}
    torch.save(flat, folder / "flat.pt")
    for shards in (1, 3):
        where = folder / f"hf{shards}"
        if convert(folder / "flat.pt", where, "--to", "dcp-safetensors", "--shards", shards):
            from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
            wanted = {k: torch.zeros_like(v) for k, v in flat.items()}
            dcp.load(wanted, storage_reader=HuggingFaceStorageReader(path=str(where)), no_dist=True)
            tally.check(not differences(flat, wanted), f"HuggingFaceStorageReader of {shards} shards: {differences(flat, wanted)[:3]}")
            convert(where, folder / f"flat{shards}.pt")
            tally.check(not differences(flat, torch.load(folder / f"flat{shards}.pt")), "and back")

    # Real ranks: 2, 3, 4 save, others load.
    for saving, shards, loading in ((2, 3, 4), (3, 2, 2), (4, 1, 3)):
        if not ranks(saving, "plain", "save", folder / f"saved{saving}"):
            continue
        where = folder / f"resharded{saving}"
        if convert(folder / f"saved{saving}", where, "--to", "dcp", "--shards", shards):
            ranks(loading, "plain", "load", where)
        convert(folder / f"saved{saving}", folder / "one.pt", "--overwrite")
        if convert(folder / "one.pt", folder / f"from_one{saving}", "--to", "dcp", "--shards", saving):
            ranks(loading, "plain", "load", folder / f"from_one{saving}")
    if ranks(2, "plain", "save-hf", folder / "hf_saved") and convert(folder / "hf_saved", folder / "hf_again", "--to", "dcp-safetensors", "--shards", "3"):
        ranks(2, "plain", "load-hf", folder / "hf_again")

    try:
        import lightning_fabric
    except ImportError:
        tally.skip("lightning-fabric is not there")
    else:
        for saving, shards, loading in ((2, 4, 3), (3, 2, 2)):
            saved = folder / f"fabric{saving}"
            if not ranks(saving, "fabric", "save", saved):
                continue
            reference = str(saved.with_suffix(".reference"))
            if convert(saved, folder / f"fabric{saving}-{shards}", "--to", "dcp", "--shards", shards):
                ranks(loading, "fabric", "load", folder / f"fabric{saving}-{shards}", REFERENCE=reference)
            if convert(saved, folder / "fabric.pt", "--overwrite") and convert(folder / "fabric.pt", folder / f"fabric{saving}-pt", "--to", "dcp", "--shards", 2):
                ranks(loading, "fabric", "load", folder / f"fabric{saving}-pt", REFERENCE=reference)
            # What a Trainer resumes from: its keys, and an optimizer's state that an optimizer of one process loads.
            if convert(saved, folder / "trainer.ckpt", "--to", "torch", "--trainer", "--overwrite"):
                state = torch.load(folder / "trainer.ckpt", weights_only=True)
                wanted = torch.load(reference)
                net = torch.nn.Sequential(torch.nn.Linear(6, 7), torch.nn.ReLU(), torch.nn.Linear(7, 3))
                net.load_state_dict(state["state_dict"])
                optimizer = torch.optim.AdamW(net.parameters(), lr=1.0)
                optimizer.load_state_dict(state["optimizer_states"][0])
                moments = {f"{i}.{k}": v for i, p in enumerate(net.parameters()) for k, v in optimizer.state[p].items()}
                tally.check(all(torch.equal(net.state_dict()[k], v) for k, v in wanted["model"].items()) and moments.keys() == wanted["moments"].keys()
                            and all(torch.equal(moments[k].float(), v.float()) for k, v in wanted["moments"].items()) and optimizer.param_groups[0]["lr"] == 0.01, "a Trainer's keys")

    # A file of one process, whose optimizer counts its parameters: by their names any number of ranks loads it.
    if "lightning_fabric" in sys.modules:
        import dcp_ranks
        net = dcp_ranks.model()
        optimizer = torch.optim.AdamW(net.parameters(), lr=0.01)
        for _ in range(2):
            optimizer.zero_grad()
            net(torch.ones(2, 6)).square().mean().backward()
            optimizer.step()
        torch.save({"model": net.state_dict(), "optimizer": optimizer.state_dict(), "iteration": 7, "hparams": {"lr": 0.01}}, folder / "counted.pt")
        torch.save({"model": net.state_dict(), "moments": {f"{n}.{k}": v for n, p in enumerate(net.parameters()) for k, v in optimizer.state[p].items()}}, folder / "counted.reference")
        if convert(folder / "counted.pt", folder / "counted", "--to", "dcp", "--shards", 3, "--fsdp"):
            for loading in (2, 4):
                ranks(loading, "fabric", "load", folder / "counted", REFERENCE=str(folder / "counted.reference"))
        torch.save({"epoch": 1, "global_step": 2, "pytorch-lightning_version": "2.6.6", "state_dict": net.state_dict(), "loops": {}, "callbacks": {}, "optimizer_states": [optimizer.state_dict()], "lr_schedulers": []}, folder / "t.ckpt")
        if convert(folder / "t.ckpt", folder / "t", "--to", "dcp", "--shards", 2, "--fsdp") and convert(folder / "t", folder / "t2.ckpt", "--to", "torch", "--trainer"):
            one, other = torch.load(folder / "t.ckpt"), torch.load(folder / "t2.ckpt")
            tally.check(list(one) == list(other) and not differences(one, other), f"a Trainer's file there and back: {differences(one, other)[:3]}")

    # Hostile metadata: an error, in time, in little memory, nothing written.
    import resource

    # Runs a command and prints the most memory that it had, in KiB.
    MEASURED = "import resource, subprocess, sys; code = subprocess.run(sys.argv[1:]).returncode; print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(code)"

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (600 << 20, 600 << 20))  # the program itself takes 150 MiB of addresses

    dcp.save({"m": {"w": torch.randn(8, 4), "n": 3}}, checkpoint_id=folder / "sound", no_dist=True)

    def hostile(what, change, code=4):
        where = folder / what.replace(" ", "_").replace("/", "_")
        subprocess.run(["cp", "-r", folder / "sound", where], check=True)
        metadata = pickle.loads((where / ".metadata").read_bytes())
        raw = change(metadata, where)
        (where / ".metadata").write_bytes(raw if isinstance(raw, bytes) else pickle.dumps(metadata))
        out = folder / "hostile.pt"
        done = subprocess.run(["/usr/bin/env", "python3", "-c", MEASURED, options.ckpt, "convert", where, out], capture_output=True, text=True, timeout=10, preexec_fn=limit)
        peak = int(done.stdout.strip() or 0)
        tally.check(peak < 256 << 10, f"{what}: took {peak >> 10} MiB")
        tally.check(done.returncode == code and not out.exists() and (code == 0 or done.stderr.count("\n") <= 3), f"{what}: exit {done.returncode}: {done.stderr.strip()[:200]}")
        if out.exists():
            out.unlink()

    def many_chunks(metadata, where):
        chunk = ChunkStorageMetadata(torch.Size([0, 0]), torch.Size([8, 4]))
        metadata.state_dict_metadata["m.w"].chunks = [chunk] * 1_000_000

    def thin_chunks(metadata, where):
        metadata.state_dict_metadata["m.w"].size = torch.Size([100_000, 4])
        metadata.state_dict_metadata["m.w"].chunks = [ChunkStorageMetadata(torch.Size([i, 0]), torch.Size([1, 4])) for i in range(100_000)]

    def criss_cross(metadata, where):  # no grid: each row band against each column band
        n = 20_000
        metadata.state_dict_metadata["m.w"].size = torch.Size([n, n])
        metadata.state_dict_metadata["m.w"].chunks = [ChunkStorageMetadata(torch.Size([i, 0]), torch.Size([n - i, 1])) for i in range(n)]

    def list_bomb(metadata, where):
        metadata.planner_data["m.n"] = ("m", "n", 10**9)

    def big_text(metadata, where):
        return b"\x80\x04X" + (100 << 20).to_bytes(4, "little") + b"a" * (100 << 20) + b"."

    def nested(metadata, where):
        return b"\x80\x04" + b"(" * 5_000_000 + b"."

    def gets(metadata, where):
        return b"\x80\x04]\x94(" + b"h\x00" * 3_000_000 + b"e."

    def many_gets(metadata, where):
        return b"\x80\x04]\x94(" + b"h\x00" * 28_500_000 + b"e."

    def same_chunks(metadata, where):  # 19 MB of entries, each an object of its own
        metadata.state_dict_metadata["m.w"].chunks = [ChunkStorageMetadata(torch.Size([0, 0]), torch.Size([8, 4])) for _ in range(500_000)]

    def link(metadata, where):
        name = next(n for n in os.listdir(where) if n.endswith(".distcp"))
        os.rename(where / name, folder / "outside.distcp")
        os.symlink(folder / "outside.distcp", where / name)

    def folder_link(metadata, where):
        name = next(n for n in os.listdir(where) if n.endswith(".distcp"))
        os.rename(where / name, where / "x")
        os.symlink("../" + where.name + "/../sound/" + name, where / name)

    def twice(metadata, where):
        index = next(i for i in metadata.storage_data if i.fqn == "m.w")
        other = MetadataIndex(index.fqn, index.offset, index=9)
        text = pickle.dumps(metadata)
        metadata.storage_data = _Twice([(index, metadata.storage_data[index]), (other, metadata.storage_data[index])] + [(k, v) for k, v in metadata.storage_data.items() if k.fqn != "m.w"])

    class _Twice(dict):
        """A dict that pickles a key twice."""
        def __init__(self, items):
            super().__init__()
            self.all = items

        def __reduce__(self):
            return dict, (), None, None, iter(self.all)

    for what, change in (("a million chunks", many_chunks), ("a hundred thousand chunks without a place", thin_chunks), ("overlapping bands", criss_cross), ("a list of 10^9", list_bomb), ("100 MB of text", big_text),
                         ("five million marks", nested), ("three million references", gets), ("57 MB of references", many_gets), ("19 MB of chunks", same_chunks), ("a link out", link), ("a link out by way of ..", folder_link), ("two entries for a chunk", twice)):
        hostile(what, change)
tally.finish()
