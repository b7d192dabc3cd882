# ZeRO folders: fixtures of DeepSpeed itself, and folders laid out as it lays them out, of many ranks, groups and odd sizes.
import math
import pathlib
import shutil

import torch
from safetensors.torch import load_file

from common import DATA, FIXTURES, Tally, arguments, run, scratch, stub_module
from same import tensor_bits

options = arguments()
tally = Tally("zero")
stubs = stub_module()


def load(path):
    return torch.load(path, map_location="cpu", weights_only=False, pickle_module=stubs)


def write_zero(folder, stage, world, groups, moments, bf16=False):
    """`groups`: a dict of tensors for each parameter group; `moments`: {name: {key: tensor}}."""
    step = folder / "global_step7"
    step.mkdir(parents=True)
    (folder / "latest").write_text("global_step7")
    shapes = [{name: value.shape for name, value in group.items()} for group in groups]
    flat = [[] for _ in range(world)]
    states = [{} for _ in range(world)]
    if stage < 3:
        for index, group in enumerate(groups):
            def parts(values, keep_padding):
                whole = torch.cat([value.reshape(-1) for value in values])
                size = math.ceil(whole.numel() / (2 * world)) * 2
                pieces = [whole[r * size:(r + 1) * size] for r in range(world)]
                return [torch.nn.functional.pad(piece, (0, size - piece.numel())) for piece in pieces] if keep_padding else pieces
            for rank, piece in enumerate(parts(group.values(), False)):
                flat[rank].append(piece.clone())
            for key in ("exp_avg", "exp_avg_sq"):
                for rank, piece in enumerate(parts([moments[name][key] for name in group], True)):
                    states[rank].setdefault(index, {"step": torch.tensor(7.0)})[key] = piece.clone()
    else:
        def part(values, rank):
            pieces = []
            for value in values:
                size = math.ceil(value.numel() / world)
                padded = torch.nn.functional.pad(value.reshape(-1), (0, size * world - value.numel()))
                pieces.append(padded[rank * size:(rank + 1) * size])
            return torch.cat(pieces)
        for rank in range(world):
            for index, group in enumerate(groups):
                flat[rank].append(part(group.values(), rank))
                states[rank][index] = {"step": torch.tensor(7.0), **{key: part([moments[name][key] for name in group], rank) for key in ("exp_avg", "exp_avg_sq")}}
    module = {"counter": torch.tensor([3, 5]), **{name: value.bfloat16() for group in groups for name, value in group.items()}}
    model = {"module": module, "buffer_names": ["counter"], "param_shapes": shapes, "shared_params": {"alias": next(iter(groups[0]))}, "frozen_param_shapes": None, "frozen_param_fragments": None,
             "ds_version": "0.19.8", "epoch": 4, "note": {"who": "client"}}
    param_groups = [{"lr": 0.1 * (i + 1), "betas": (0.9, 0.99), "params": [i]} for i in range(len(groups))]
    for rank in range(world):
        if stage == 3 or rank == 0:
            torch.save(model, step / (f"zero_pp_rank_{rank}_mp_rank_00_model_states.pt" if stage == 3 else "mp_rank_00_model_states.pt"))
        base = {"state": states[rank], "param_groups": param_groups}
        state = {"zero_stage": stage, "partition_count": world if stage == 3 else [world] * len(groups)}
        state.update({"fp32_flat_groups": flat[rank], "optimizer_state_dict": base} if stage == 3 else {"single_partition_of_fp32_groups": flat[rank], "base_optimizer_state": base})
        torch.save({"optimizer_state_dict": state, "ds_version": "0.19.8"}, step / f"{'bf16_' if bf16 else ''}zero_pp_rank_{rank}_mp_rank_00_optim_states.pt")
    return step


def same(name, wanted, found):
    if tally.check(list(wanted) == list(found), f"{name}: {list(found)[:8]} in place of {list(wanted)[:8]}"):
        for key in wanted:
            tally.check(wanted[key].dtype == found[key].dtype and wanted[key].shape == found[key].shape and tensor_bits(wanted[key]) == tensor_bits(found[key]), f"{name}: {key} differs")


with scratch() as place:
    root = pathlib.Path(place)
    torch.manual_seed(5)
    for stage in (1, 2, 3):
        for world in (1, 2, 3, 12):
            name = f"stage {stage}, {world} ranks"
            groups = [{"a.weight": torch.randn(7, 5), "b.weight": torch.randn(3), "one": torch.randn(1)}, {"c.bias": torch.randn(11), "d": torch.randn(2, 2, 2)}]
            moments = {n: {"exp_avg": torch.randn(v.shape), "exp_avg_sq": torch.rand(v.shape)} for g in groups for n, v in g.items()}
            folder = root / f"{stage}-{world}"
            step = write_zero(folder, stage, world, groups, moments, bf16=world == 3)
            wanted = {"counter": torch.tensor([3.0, 5.0]), **groups[0], **groups[1], "alias": groups[0]["a.weight"]}
            for source in (step, folder):
                out = root / "out.safetensors"
                code, stdout, err = run(options.ckpt, "convert", source, out, "--overwrite")
                if tally.check(code == 0 and stdout == "", f"{name}: exit {code}: {err[:200]}"):
                    found = load_file(out)
                    tally.check(len(found) == len(wanted) - 1, f"{name}: {list(found)}")
                    same(name, {k: wanted[k] for k in found}, found)
            code, stdout, err = run(options.ckpt, "convert", folder, root / "out.pt", "--overwrite")
            if tally.check(code == 0, f"{name}: to .pt: {err[:200]}"):
                found = torch.load(root / "out.pt", weights_only=True)
                same(name + ", .pt", wanted, found)
                tally.check(found["alias"].data_ptr() == found["a.weight"].data_ptr(), f"{name}: the alias is not tied")
            code, stdout, err = run(options.ckpt, "convert", "--all", folder, root / "all.pt", "--overwrite")
            if tally.check(code == 0, f"{name}: --all: {err[:200]}"):
                found = load(root / "all.pt")
                tally.check(list(found) == ["model", "optimizer", "client"], f"{name}: --all gives {list(found)}")
                same(name + ", --all", wanted, found["model"])
                tally.check(found["client"] == {"epoch": 4, "note": {"who": "client"}}, f"{name}: client {found['client']}")
                tally.check([g["params"] for g in found["optimizer"]["param_groups"]] == [list(g) for g in groups], f"{name}: param_groups")
                for n in moments:
                    state = found["optimizer"]["state"][n]
                    same(f"{name}: state of {n}", moments[n], {k: state[k] for k in moments[n]})
                    tally.check(state["step"] == 7, f"{name}: step of {n}")
            # every file that is missing, cut or of another checkpoint is named
            for victim in sorted(step.iterdir()):
                broken = root / "broken"
                shutil.rmtree(broken, ignore_errors=True)
                shutil.copytree(step, broken)
                (broken / victim.name).unlink()
                code, stdout, err = run(options.ckpt, "inspect", broken)
                tally.check(code == 4 and stdout == "" and (victim.name in err or len(list(broken.iterdir())) == 1 or "_states.pt'" in err), f"{name} without {victim.name}: exit {code}: {err[:200]}")
                shutil.copy(victim, broken)
                with open(broken / victim.name, "r+b") as file:
                    file.truncate(victim.stat().st_size * 2 // 3)
                code, stdout, err = run(options.ckpt, "convert", broken, root / "never.pt")
                tally.check(code == 4 and victim.name in err and not (root / "never.pt").exists(), f"{name}, {victim.name} cut: exit {code}: {err[:200]}")
    # one rank more than there are
    step = root / "1-2" / "global_step7"
    shutil.copy(step / "zero_pp_rank_1_mp_rank_00_optim_states.pt", step / "zero_pp_rank_2_mp_rank_00_optim_states.pt")
    code, stdout, err = run(options.ckpt, "inspect", step)
    tally.check(code == 4 and "zero_pp_rank_2" in err, f"a rank too many: exit {code}: {err[:200]}")
    (root / "1-3" / "latest").write_text("../1-2/global_step7")
    code, stdout, err = run(options.ckpt, "inspect", root / "1-3")
    tally.check(code == 4 and "latest" in err, f"latest that climbs: exit {code}: {err[:200]}")
    outside = root / "1-12" / "global_step7" / "zero_pp_rank_11_mp_rank_00_optim_states.pt"
    shutil.move(outside, root / "elsewhere.pt")
    outside.symlink_to(root / "elsewhere.pt")
    code, stdout, err = run(options.ckpt, "inspect", root / "1-12")
    tally.check(code == 4 and "link" in err, f"a link out of the folder: exit {code}: {err[:200]}")

    if FIXTURES.is_dir():  # DeepSpeed's own: moments against the partitions themselves
        for folder in sorted(path for path in (FIXTURES / "zero").iterdir() if path.is_dir()):
            code, stdout, err = run(options.ckpt, "convert", "--all", folder, root / "all.pt", "--overwrite")
            if not tally.check(code == 0, f"{folder.name}: exit {code}: {err[:200]}"):
                continue
            found = load(root / "all.pt")
            files = sorted((folder / "global_step2").glob("*_optim_states.pt"))
            parts = [load(file)["optimizer_state_dict"] for file in files]
            stage3 = "fp32_flat_groups" in parts[0]
            key = "optimizer_state_dict" if stage3 else "base_optimizer_state"
            total = sum(float(state["exp_avg"].double().sum()) for part in parts for state in part[key]["state"].values())
            ours = sum(float(state["exp_avg"].double().sum()) for state in found["optimizer"]["state"].values())
            tally.check(abs(total - ours) < 1e-9, f"{folder.name}: moments sum to {ours}, not {total}")
            tally.check(found["client"]["epoch"] == 4 and found["client"]["note"] == "näme" and set(found["client"]) == {"epoch", "note", "best"}, f"{folder.name}: client {found['client']}")
    else:
        tally.skip("the fixture collection is not beside the repository")
tally.finish()
