# Lays `ckpt inspect --json --digest=sha256` of a JLD2 file beside a manifest of what Julia loaded from it. Needs no foreign package.
import hashlib
import struct

DTYPES = {"Bool": ("bool", "?"), "Float16": ("float16", "e"), "Float32": ("float32", "f"), "Float64": ("float64", "d"),
          "Int8": ("int8", "b"), "Int16": ("int16", "h"), "Int32": ("int32", "i"), "Int64": ("int64", "q"),
          "UInt8": ("uint8", "B"), "UInt16": ("uint16", "H"), "UInt32": ("uint32", "I"), "UInt64": ("uint64", "Q"),
          "Complex{Float32}": ("complex64", "f"), "Complex{Float64}": ("complex128", "d")}
NUMBERS = {"int", "float", "bool", "complex"}
SCALAR_TYPES = {"Int64": "", "Float64": "", "Bool": "", "Complex{Float64}": "", "Complex{Float32}": "numpy.complex64", "Int128": "Core.Int128",
                "UInt128": "Core.UInt128", "Char": "Core.Char",
                **{f"{kind}{bits}": f"numpy.{kind.lower()}{bits}" for kind in ("Int", "UInt", "Float") for bits in (8, 16, 32, 64)
                   if (kind, bits) not in (("Int", 64), ("Float", 64), ("Float", 8))}}


def our_path(entry, kinds):
    """Julia counts from 1: numbers below tuples and arrays are one less here."""
    parts = entry.split("/")
    ours = []
    for i, part in enumerate(parts):
        above = kinds.get("/".join(parts[:i]))
        ours.append(str(int(part) - 1) if above in ("tuple", "array") and part.isdigit() else part)
    return "/".join(ours)


def number(value):
    words = {"NaN": float("nan"), "Inf": float("inf"), "-Inf": float("-inf")}
    return words[value] if value in words else int(value) if isinstance(value, str) else value


def digest(entry, code):
    """Of the elements in row-major order; the manifest has them column-major."""
    data, dims = entry["data_column_major"], entry["dims"]
    strides, step = [], 1
    for dim in dims:
        strides.append(step)
        step *= dim
    places = [0]
    for dim, stride in zip(dims, strides):
        places = [place + stride * i for place in places for i in range(dim)]
    packed = b""
    for place in places if step else []:
        parts = data[place] if isinstance(data[place], list) else [data[place]]
        packed += b"".join(struct.pack("<" + code, number(part)) for part in parts)
    return hashlib.sha256(packed).hexdigest()


def short_type(name):
    """Without module and parameters: what both sides agree on."""
    return name.split("{")[0].rsplit(".", 1)[-1]


def array(entry, mine, items, path):
    """Problems of an array: numbers are a tensor, everything else a list in column-major order."""
    eltype = entry["eltype"]
    if eltype in DTYPES:
        dtype, code = DTYPES[eltype]
        if mine["kind"] != "tensor" or mine["dtype"] != dtype or mine["shape"] != entry["dims"]:
            return f"is {eltype} {entry['dims']}, shown as {mine['kind']} {mine.get('dtype')} {mine.get('shape')}"
        whole = "data_column_major" in entry and not any(number(x) != number(x) for x in entry["data_column_major"] if not isinstance(x, list))
        if whole and digest(entry, code) != mine["sha256"]:
            return "has other elements"
        count = 1
        column_major = []
        for dim in entry["dims"]:
            column_major.append(count)
            count *= max(dim, 1)
        return "" if mine["stride"] == column_major else f"has strides {mine['stride']}"
    if mine["kind"] != "list" or mine["length"] != entry["length"]:
        return f"has {entry['length']} items, shown as {mine['kind']} of {mine.get('length')}"
    for i, due in enumerate(entry.get("data_column_major") or []):
        item = items.get(f"{path}/{i}")
        if item is None or (due is not None and not isinstance(due, list) and item.get("value") != due and number(item.get("value")) != number(due)):
            return f"item {i} is {due!r}, shown as {item}"
    return ""


def compare(manifest, ours):
    """Differences as text."""
    problems = []
    mine = {e["path"]: e for e in ours["entries"]}
    kinds = {e["path"]: e["kind"] for e in manifest["entries"]}
    paths = {}
    for entry in manifest["entries"]:
        paths[entry["path"]] = our_path(entry["path"], kinds)
    for entry in manifest["entries"]:
        path, kind = paths[entry["path"]], entry["kind"]
        found = mine.get(path)
        what = ""
        if found is None:
            # In Julia before JLD2 0.5 a field whose type has no data leaves no trace in the file.
            above = mine.get(path.rsplit("/", 1)[0], {})
            if kind in ("nothing", "function", "tuple", "struct") and above.get("kind") == "object":
                continue
            if above.get("kind") == "set":
                continue
            what = "is missing"
        elif kind == "shared":
            if found["kind"] != "shared" or found["same_as"] != paths.get(entry["same_as"], entry["same_as"]):
                what = f"is the same as {entry['same_as']}, shown as {found['kind']} {found.get('same_as')}"
        elif kind == "array":
            what = array(entry, found, mine, path)
        elif kind in ("scalar", "bool"):
            due, got = entry["value"], found.get("value")
            equal = got == due or (not isinstance(due, list) and number(got) != number(got) and number(due) != number(due))
            expected = SCALAR_TYPES.get(entry["type"])
            if not equal or (found["kind"] not in NUMBERS and entry["type"] != "Char") or (expected is not None and found.get("type", "") != expected):
                what = f"is {entry['type']} {due!r}, shown as {found['kind']} {found.get('type')} {got!r}"
        elif kind in ("string", "symbol"):
            text = found.get("value")
            text = text["head"] + "..." + text["tail"] if isinstance(text, dict) else text
            if text != entry["value"] or found["kind"] != "string" or found.get("type", "") != ("Core.Symbol" if kind == "symbol" else ""):
                what = f"is {entry['value']!r}, shown as {found['kind']} {text!r}"
        elif kind == "nothing" or kind == "missing":
            if found["kind"] != ("null" if kind == "nothing" else "object"):
                what = f"is {kind}, shown as {found['kind']}"
        elif kind in ("namedtuple", "dict"):
            keys = [str(key.get("value", key.get("items"))) for key in found.get("keys", [])]
            due = entry["keys"]
            same = keys == due if kind == "namedtuple" else len(keys) == len(due) and ("tuple" in str(found["keys"]) or sorted(keys) == sorted(map(str, due)))
            if found["kind"] != "dict" or not same:
                what = f"has the keys {due}, shown as {found['kind']} with {keys}"
        elif kind == "tuple":
            if found["kind"] != "tuple" or found["length"] != entry["length"]:
                what = f"is a tuple of {entry['length']}, shown as {found['kind']}"
        elif kind == "set":
            if found["kind"] != "set" or sorted(str(i["value"]) for i in found["items"]) != sorted(map(str, entry["elements"])):
                what = f"is a set, shown as {found}"
        elif kind == "value" and entry["type"] == "BigInt":
            if found["kind"] != "int" or str(found["value"]) != entry["value"]:
                what = f"is {entry['value']}, shown as {found.get('value')}"
        elif kind in ("struct", "mutable struct", "range", "value", "other"):
            if found["kind"] != "object" or short_type(found["type"]) != short_type(entry["type"]):
                what = f"is a {entry['type']}, shown as {found['kind']} {found.get('type')}"
            stored = [p for p in mine if p.startswith(path + "/") and "/" not in p[len(path) + 1:]]
            if not what and "fields" in entry and not set(p[len(path) + 1:] for p in stored) <= set(entry["fields"]):
                what = f"has the fields {entry['fields']}, shown with {stored}"
        elif kind == "function":
            if found.get("type") != "Core.Function" or found["value"].rsplit(".", 1)[-1] != entry["value"]:
                what = f"is the function {entry['value']}, shown as {found}"
        elif kind == "type":
            plain = found.get("value", "").replace("Core.", "").replace("Base.", "").replace(" ", "")
            if found.get("type") != "Core.DataType" or (plain != entry["value"].replace(" ", "") and "where" not in entry["value"]):
                what = f"is the type {entry['value']}, shown as {found}"
        elif kind == "undef":
            if found.get("type") != "Core.undef":
                what = f"is unassigned, shown as {found}"
        else:
            what = f"is of the kind {kind}, which nobody knows"
        if what:
            problems.append(f"{entry['path']!r} {what}")
    top = [p for p in mine if p and "/" not in p]
    if top != manifest["top_level"] and not any("/" in p for p in manifest["top_level"]):
        problems.append(f"the top level is {manifest['top_level']}, shown as {top}")
    return problems
