# Whether two values that torch loaded are the same: values, classes, key order and types, dtypes, shapes, strides, ties.
import math

import numpy as np
import torch


def tensor_bits(tensor):
    """Raw bytes of the logical elements, NaN payloads included."""
    tensor = tensor.detach()
    if tensor.is_quantized:
        tensor = tensor.int_repr()
    if tensor.dtype.is_complex or tensor.is_neg():
        tensor = tensor.resolve_conj().resolve_neg()
    flat = torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor) if tensor.numel() and tensor.stride() != () else tensor
    flat = flat.contiguous()
    return bytes(flat.untyped_storage())[flat.storage_offset() * flat.element_size():][: flat.numel() * flat.element_size()]


class Comparison:
    def __init__(self, exact_strides=True):
        self.differences, self.seen, self.storages, self.back = [], {}, {}, {}
        self.exact_strides, self.made = exact_strides, []

    def differ(self, path, what):
        self.differences.append(f"{path}: {what}")

    def run(self, a, b):
        todo = [("", a, b)]
        while todo and len(self.differences) < 5:
            path, a, b = todo.pop()
            self.made.append((a, b))  # some were made on the way: while they live, no other value gets their id
            if getattr(type(a), "stub_name", "").endswith("._rebuild_sparse_csr_tensor") and isinstance(b, torch.Tensor):
                continue  # a call that only torch 1.13 has, written as the current one: this torch could not load it at all
            if type(a) is not type(b) and getattr(type(a), "stub_name", 0) != getattr(type(b), "stub_name", 1):
                self.differ(path, f"{type(a)} became {type(b)}")
                continue
            if isinstance(a, (list, tuple, dict, set, torch.Tensor)) or hasattr(a, "__dict__"):
                if not isinstance(a, (set, frozenset, type)) and not (isinstance(a, tuple) and not a):
                    if id(a) in self.seen:
                        if self.seen[id(a)] != id(b):
                            self.differ(path, "was shared, is not")
                        continue
                    self.seen[id(a)] = id(b)
                    if self.back.setdefault(id(b), id(a)) != id(a):
                        self.differ(path, "was not shared, is")
            if isinstance(a, torch.Tensor):
                self.tensors(path, a, b)
                if getattr(a, "__dict__", None):
                    todo.append((path + "/__dict__", a.__dict__, b.__dict__))
            elif hasattr(type(a), "stub_name"):
                todo.append((path + "/__args__", a.made_with, b.made_with))
                todo.append((path + "/__state__", a.state, b.state))
                todo.append((path + "/items", a.listed, b.listed))
                todo.append((path + "/entries", list(a.items()), list(b.items())))
            elif isinstance(a, dict):
                if [(type(k), k) for k in a] != [(type(k), k) for k in b] and repr(list(a)) != repr(list(b)):
                    self.differ(path, f"keys {list(a)[:5]} became {list(b)[:5]}")
                    continue
                todo.extend((f"{path}/{k}", a[k], b[q]) for k, q in zip(a, b))
                if getattr(a, "__dict__", None):
                    todo.append((path + "/__dict__", dict(a.__dict__), dict(b.__dict__)))
            elif isinstance(a, (list, tuple)):
                if len(a) != len(b):
                    self.differ(path, f"length {len(a)} became {len(b)}")
                else:
                    todo.extend((f"{path}/{i}", x, y) for i, (x, y) in enumerate(zip(a, b)))
            elif isinstance(a, np.ndarray):
                if a.dtype.str != b.dtype.str or a.shape != b.shape or a.flags.f_contiguous != b.flags.f_contiguous:
                    self.differ(path, f"array {a.dtype.str} {a.shape} became {b.dtype.str} {b.shape}")
                elif a.dtype.kind == "O":
                    todo.append((path + "/items", list(a.flat), list(b.flat)))
                elif a.tobytes() != b.tobytes():
                    self.differ(path, "array has other values")
            elif isinstance(a, (torch.UntypedStorage, torch.storage.TypedStorage)):
                if bytes(a.untyped() if hasattr(a, "untyped") else a) != bytes(b.untyped() if hasattr(b, "untyped") else b):
                    self.differ(path, "storage has other bytes")
            elif isinstance(a, float) and math.isnan(a) and math.isnan(b):
                pass
            elif isinstance(a, (int, float, complex, str, bytes, bytearray, bool, type(None))):
                if a != b or repr(a) != repr(b):
                    self.differ(path, f"{a!r:.60} became {b!r:.60}")
            elif isinstance(a, np.random.Generator):
                todo.append((path + "/state", a.bit_generator.state, b.bit_generator.state))
            elif isinstance(a, np.random.RandomState):
                todo.append((path + "/state", a.get_state(legacy=False), b.get_state(legacy=False)))
            elif type(a).__name__ == "NestedIntNode":
                pass  # a number that torch counts up for each ragged size of a process
            elif hasattr(a, "__dict__") and not isinstance(a, type) and not callable(a):
                todo.append((path + "/", dict(a.__dict__), dict(b.__dict__)))
            elif repr(a) != repr(b) and "object at 0x" not in repr(a):
                self.differ(path, f"{a!r:.60} became {b!r:.60}")
        return self.differences

    def tensors(self, path, a, b):
        if isinstance(a, torch.nn.parameter.UninitializedTensorMixin):
            if a.dtype != b.dtype or a.requires_grad != b.requires_grad:
                self.differ(path, "another uninitialized tensor")
            return
        if (a.dtype, tuple(a.shape) if not a.is_nested else 0, a.layout, a.requires_grad) != (
            b.dtype, tuple(b.shape) if not b.is_nested else 0, b.layout, b.requires_grad):
            return self.differ(path, f"{a.dtype} {a.shape} {a.layout} became {b.dtype} {b.shape} {b.layout}")
        if a.is_meta:
            return
        if a.is_nested:
            for i, (x, y) in enumerate(zip(a.unbind(), b.unbind())):
                if tensor_bits(x) != tensor_bits(y):
                    self.differ(f"{path}/{i}", "other values")
            return
        if a.layout is not torch.strided:
            parts = {torch.sparse_coo: ("_indices", "_values"), torch.sparse_csr: ("crow_indices", "col_indices", "values"),
                     torch.sparse_bsr: ("crow_indices", "col_indices", "values"), torch.sparse_csc: ("ccol_indices", "row_indices", "values"),
                     torch.sparse_bsc: ("ccol_indices", "row_indices", "values")}[a.layout]
            for part in parts:
                self.tensors(f"{path}/{part}", getattr(a, part)(), getattr(b, part)())
            return
        if a.is_quantized and (a.qscheme() != b.qscheme() or (a.qscheme() in (torch.per_tensor_affine, torch.per_tensor_symmetric) and
                                                             (a.q_scale(), a.q_zero_point()) != (b.q_scale(), b.q_zero_point()))):
            self.differ(path, "other quantization")
        if self.exact_strides and (a.stride(), a.storage_offset() if a.numel() else 0) != (b.stride(), b.storage_offset() if b.numel() else 0):
            self.differ(path, f"stride {a.stride()} offset {a.storage_offset()} became {b.stride()} {b.storage_offset()}")
        try:
            same = tensor_bits(a) == tensor_bits(b)
        except (RuntimeError, NotImplementedError):  # types without arithmetic
            same = bytes(a.untyped_storage()) == bytes(b.untyped_storage())
        if not same:
            self.differ(path, "other values")
        # Two tensors share memory there exactly if they do here.
        here, there = a.untyped_storage()._cdata, b.untyped_storage()._cdata
        if self.storages.setdefault(here, there) != there:
            self.differ(path, "was tied, is not")


def differences(a, b, **options):
    return Comparison(**options).run(a, b)
