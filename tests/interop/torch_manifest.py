# Lays `ckpt inspect --json --digest=sha256` beside a manifest that the writing program made.
import hashlib

# The manifest's kinds in our words; None: not comparable by kind (explained where it is used).
KINDS = {"none": "null", "bool": "bool", "int": "int", "float": "float", "complex": "complex", "str": "string", "bytes": "bytes",
         "bytearray": "bytes", "bytes_": "bytes", "list": "list", "tuple": "tuple", "namedtuple": None, "set": "set", "frozenset": "set",
         "dict": "dict", "tensor": "tensor", "ndarray": "tensor", "numpy_scalar": None, "enum": "object", "torch.Size": "tuple",
         "torch.dtype": "object", "torch.device": "object", "storage": "tensor", "class": "object", "function": "object",
         "object": None, "shared": "shared"}


OPAQUE = ("Colour.RED", "Point(x=0, y=0)")  # keys whose text only their classes make


def compare(manifest, ours, objects_run=False):
    """Differences as text. Objects are compared by type where both name one; what only running a class's own code would show is not."""
    problems = []
    by_path = {}  # two keys may print alike (1 and "1"): their entries come in the same order here and there
    for e in ours["entries"]:
        by_path.setdefault(e["path"], []).append(e)
    seen = {}
    inert = []  # paths of objects whose inside only their class knows
    storages = {}
    for entry in manifest["entries"]:
        path, kind = entry["path"], entry["kind"]
        if any(path.startswith(p + "/") for p in inert):
            continue
        if path.split("/")[-1] in OPAQUE:
            continue
        at = seen.get(path, 0)
        seen[path] = at + 1
        found_here = by_path.get(path, [])
        mine = found_here[at] if at < len(found_here) else None
        if mine is None:
            problems.append(f"{path!r}: missing ({kind})")
            continue
        wanted = KINDS.get(kind)
        if kind == "enum" and mine["kind"] == "shared":
            continue  # a member of an enum met again is the same object
        args = path + "/__args__" if path else "__args__"
        if mine["kind"] == "object" and args in by_path and (kind in ("str", "int", "float", "numpy_scalar", "function", "class") or mine.get("type") == "functools.partial"
                or (kind == "ndarray" and (entry["dtype"].strip("<>|=")[0] in "VUSOMm[({" or entry["dtype"][1:] in ("f16", "c32"))) or entry.get("type", "").endswith("recarray")
                or mine.get("made_by") == "copyreg._reconstructor" and kind in ("list", "dict")):
            inert.append(path)  # a subclass, a text or structured array: what it is made of is shown, and kept
            continue
        if kind == "frozenset" and mine["kind"] == "shared":
            continue  # the manifest does not say of immutable values that they are one
        if wanted and mine["kind"] != wanted and not (kind == "tuple" and mine["kind"] == "object"):
            problems.append(f"{path!r}: {kind} is shown as {mine['kind']}")
            continue
        if kind in ("object", "enum", "namedtuple") or mine["kind"] == "object":
            made_elsewhere = entry.get("made_by")
            # What a constructor function gives, only running it would tell.
            made_by_function = mine.get("type", "") in ("re._compile", "numpy.random._pickle.__generator_ctor", "torch._C.Generator", "functools.partial") and entry.get("type") != mine.get("type")
            if made_by_function:
                inert.append(path)
            elif "type" in entry and mine.get("type") not in (entry["type"], made_elsewhere, None) and kind != "enum":
                problems.append(f"{path!r}: type {entry['type']} is shown as {mine.get('type')}")
            if args in by_path or kind in ("enum", "namedtuple") or "repr" in entry or made_elsewhere:
                inert.append(path)
        elif "type" in entry and entry["type"] != mine.get("type"):
            problems.append(f"{path!r}: type {entry['type']} is shown as {mine.get('type')}")
        if kind in ("bool", "int", "float", "complex", "torch.Size", "torch.dtype", "torch.device", "class", "function"):
            if entry.get("value") != mine.get("value"):
                problems.append(f"{path!r}: value {entry.get('value')!r} is shown as {mine.get('value')!r}")
        if kind == "str" and "value" in entry and entry["value"] != mine.get("value"):
            problems.append(f"{path!r}: text {entry['value']!r:.40} is shown as {mine.get('value')!r:.40}")
        if kind == "numpy_scalar" and entry["dtype"] in ("float64", "float32", "float16", "int64", "int32", "bool") and entry["value"] != mine.get("value"):
            problems.append(f"{path!r}: value {entry['value']!r} is shown as {mine.get('value')!r}")
        if kind in ("bytes", "bytearray") and (entry["sha256"] != mine.get("sha256") or entry["bytes"] != mine.get("bytes")):
            problems.append(f"{path!r}: other bytes")
        if kind in ("list", "tuple") and mine["kind"] == wanted and entry["length"] != mine.get("length"):
            problems.append(f"{path!r}: length {entry['length']} is shown as {mine.get('length')}")
        if kind == "shared" and entry["same_as"] != mine.get("same_as"):
            problems.append(f"{path!r}: shared with {entry['same_as']!r}, shown as {mine.get('same_as')!r}")
        if kind == "dict" and mine["kind"] == "dict":
            keys = [(k["kind"].replace("str", "string").replace("none", "null"), k.get("value")) for k in entry["keys"]]
            shown = [(k["kind"], k.get("value")) for k in mine["keys"]]
            if [k for k in keys if k[0] in ("string", "int", "bool", "float")] != [k for k in shown if k[0] in ("string", "int", "bool", "float")]:
                problems.append(f"{path!r}: keys {keys[:4]} are shown as {shown[:4]}")
        if kind == "tensor":
            tensor(path, entry, mine, storages, problems)
        if kind == "ndarray":
            if entry["shape"] != mine.get("shape"):
                problems.append(f"{path!r}: shape {entry['shape']} is shown as {mine.get('shape')}")
            if entry["dtype"][0] in "<|" and entry.get("sha256") != mine.get("sha256"):
                problems.append(f"{path!r}: other digest")
    return problems


def tensor(path, entry, mine, storages, problems):
    for field in ("dtype", "shape", "stride", "storage_offset", "storage_bytes", "layout", "requires_grad", "conj", "neg", "nested", "meta",
                  "uninitialized", "qscheme", "scale", "zero_point", "axis"):
        if field in entry and entry[field] != mine.get(field):
            problems.append(f"{path!r}: {field} {entry[field]!r} is shown as {mine.get(field)!r}")
    if "storage" in entry:
        if mine.get("storage") is None or storages.setdefault(entry["storage"], mine["storage"]) != mine["storage"]:
            problems.append(f"{path!r}: storage {entry['storage']} is shown as {mine.get('storage')}")
    if "sha256" in entry and entry["sha256"] != mine.get("sha256"):
        problems.append(f"{path!r}: other digest")


def array_digest(array):
    return hashlib.sha256(array.tobytes()).hexdigest()
