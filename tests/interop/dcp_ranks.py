# Several processes on gloo, on this machine alone: saves and loads of distributed checkpoints. Called by test_dcp.py.
import os
import pathlib
import sys
import warnings

warnings.filterwarnings("ignore")
os.environ.setdefault("OMP_NUM_THREADS", "1")
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
import torch.multiprocessing as mp
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor


def parts(rows=7):
    """What is saved and wanted: names to whole tensors, each with the dimension along which it is cut, or None."""
    torch.manual_seed(3)
    tensors = {"w": (torch.randn(rows, 4), 0), "cols": (torch.randn(3, 8), 1), "deep": (torch.randn(2, 5, 6), 2), "few": (torch.randn(2, 3), 0), "one": (torch.randn(1, 2), 0),
               "none": (torch.zeros(0, 3), 0), "scalar": (torch.tensor(2.5), None), "ids": (torch.arange(rows), 0), "half": (torch.randn(9, 2).bfloat16(), 0),
               "flags": (torch.rand(6) > 0.5, 0), "c": (torch.randn(5, 2, dtype=torch.complex64), 0), "same": (torch.randn(4), None)}
    return tensors


def state(mesh, empty):
    tensors = {}
    for name, (whole, cut) in parts().items():
        placement = [Replicate() if cut is None else Shard(cut)]
        tensors[name] = distribute_tensor(torch.zeros_like(whole) if empty else whole, mesh, placement)
    values = {"step": 0 if empty else 7, "note": "" if empty else "text", "pair": None if empty else (1, 2.5)}
    return {"model": {f"layer.{k}": v for k, v in tensors.items()}, "values": values, "list": [torch.zeros(3) if empty else torch.arange(3.0), {"x": 0 if empty else 1}]}


def same(loaded):
    for name, (whole, cut) in parts().items():
        got = loaded["model"][f"layer.{name}"]
        got = got.full_tensor() if isinstance(got, DTensor) else got
        assert got.dtype == whole.dtype and torch.equal(got, whole), name
    assert loaded["values"] == {"step": 7, "note": "text", "pair": (1, 2.5)}, loaded["values"]
    assert torch.equal(loaded["list"][0], torch.arange(3.0)) and loaded["list"][1] == {"x": 1}


def plain(rank, ranks, what, folder):
    mesh = init_device_mesh("cpu", (ranks,))
    if what == "save":
        dcp.save(state(mesh, False), checkpoint_id=folder)
    elif what == "load":
        wanted = state(mesh, True)
        dcp.load(wanted, checkpoint_id=folder)
        same(wanted)
    elif what == "save-hf":
        from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageWriter
        dcp.save(state(mesh, False)["model"], storage_writer=HuggingFaceStorageWriter(path=folder, save_distributed=True))
    elif what == "load-hf":
        from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader
        wanted = state(mesh, True)["model"]
        dcp.load(wanted, storage_reader=HuggingFaceStorageReader(path=folder))
        same({"model": wanted, "values": {"step": 7, "note": "text", "pair": (1, 2.5)}, "list": [torch.arange(3.0), {"x": 1}]})


def model():
    torch.manual_seed(11)
    return torch.nn.Sequential(torch.nn.Linear(6, 7), torch.nn.ReLU(), torch.nn.Linear(7, 3))


def fabric(rank, ranks, what, folder):
    """FSDP2 by way of Fabric; what is loaded must be what `reference` in the folder's sibling says."""
    from lightning_fabric import Fabric
    from lightning_fabric.strategies import ModelParallelStrategy
    from torch.distributed._composable.fsdp import fully_shard

    def parallelize(net, mesh):
        for layer in net:
            if isinstance(layer, torch.nn.Linear):
                fully_shard(layer, mesh=mesh["data_parallel"])
        return fully_shard(net, mesh=mesh["data_parallel"])

    strategy = ModelParallelStrategy(parallelize_fn=parallelize, data_parallel_size=ranks, tensor_parallel_size=1, save_distributed_checkpoint=True)
    run = Fabric(accelerator="cpu", devices=ranks, strategy=strategy)
    run._launched = True
    run.strategy._process_group_backend = "gloo"
    run.launch()
    net = run.setup(model())
    optimizer = run.setup_optimizers(torch.optim.AdamW(net.parameters(), lr=0.01))
    torch.manual_seed(5)
    if what == "save":
        for _ in range(2):
            optimizer.zero_grad()
            run.backward(net(torch.ones(2, 6)).square().mean())
            optimizer.step()
    held = {"model": net, "optimizer": optimizer, "iteration": 7 if what == "save" else 0, "hparams": {"lr": 0.01} if what == "save" else {}}
    if what == "save":
        run.save(folder, held)
    else:
        run.load(folder, held)
        assert held["iteration"] == 7 and held["hparams"] == {"lr": 0.01}, held
    full = {k: v.full_tensor() if isinstance(v, DTensor) else v for k, v in net.state_dict().items()}
    moments = {}
    for number, parameter in enumerate(net.parameters()):
        for key, value in optimizer.state[parameter].items():
            moments[f"{number}.{key}"] = value.full_tensor() if isinstance(value, DTensor) else value
    reference = pathlib.Path(folder).with_suffix(".reference") if what == "save" else pathlib.Path(os.environ["REFERENCE"])
    if what == "save":
        if rank == 0:
            torch.save({"model": full, "moments": moments}, reference)
    else:
        wanted = torch.load(reference)
        assert full.keys() == wanted["model"].keys() and all(torch.equal(full[k], wanted["model"][k]) for k in full)
        assert moments.keys() == wanted["moments"].keys() and all(torch.equal(moments[k].float(), wanted["moments"][k].float()) for k in moments), (moments.keys(), wanted["moments"].keys())


def done(store, rank):
    return pathlib.Path(f"{store}.done-{rank}")


def worker(rank, ranks, kind, what, folder, store):
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(ranks), LOCAL_WORLD_SIZE=str(ranks), NODE_RANK="0")
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=ranks)
    try:
        {"plain": plain, "fabric": fabric}[kind](rank, ranks, what, folder)
        done(store, rank).touch()
        dist.barrier()
    finally:
        dist.destroy_process_group()


if __name__ == "__main__":  # dcp_ranks.py RANKS plain|fabric WHAT FOLDER STORE
    ranks, kind, what, folder, store = int(sys.argv[1]), *sys.argv[2:6]
    try:
        mp.start_processes(worker, (ranks, kind, what, folder, store), nprocs=ranks, start_method="fork")  # they have torch already
    except mp.ProcessExitedException:
        # A rank whose peers were quicker to close their connections may be aborted by gloo when all work is done.
        if not all(done(store, rank).exists() for rank in range(ranks)):
            raise
