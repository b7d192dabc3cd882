# Lays `ckpt inspect --json --digest=sha256` of an HDF5 file beside a manifest of what h5py found in it: every link in its order, every
# shape, dtype, value, digest and attribute. What may differ, and why:
#   - scalars (and texts, None) that several links lead to are shown at each: they have no identity, in any layout;
#   - a soft link is shown as what it leads to;
#   - compounds are dicts of columns: their digest is of no column, so columns are compared by the values that the manifest lists;
#   - arrays of MATLAB's files have MATLAB's axes, which are the file's in reverse;
#   - floats that no language has (8, 24, 80 bits) are read as the next wider ones, so the digest is of those;
#   - data that no program wrote (the time type, complex32 of h5py) have no values to compare.
import hashlib
import struct

NUMBERS = {"|u1": ("uint8", "B"), "<u2": ("uint16", "H"), "<u4": ("uint32", "I"), "<u8": ("uint64", "Q"),
           "|i1": ("int8", "b"), "<i2": ("int16", "h"), "<i4": ("int32", "i"), "<i8": ("int64", "q"),
           "<f2": ("float16", "e"), "<f4": ("float32", "f"), "<f8": ("float64", "d"), "bool": ("bool", "?"),
           "<c8": ("complex64", "ff"), "<c16": ("complex128", "dd"), "c4": ("complex32", "ee"), "bfloat16": ("bfloat16", None)}
PYTHON = {"bool": bool, "float64": float, "int64": int}  # scalars that Python has itself carry no class
LONG_TEXT = 400

REFUSED_FILTERS = {"blosc2", "zfp"}


def is_refused(entry):
    """A dataset that is refused by name: a filter that is not decoded, data in another file."""
    sources = {source["file"] for source in entry.get("sources") or ()}
    return any(f["name"] in REFUSED_FILTERS for f in entry.get("filters") or ()) or bool(sources - {"."}) or "external" in entry


def exit_code(manifest):
    """Of inspecting the whole file: 5 if a dataset of it is refused."""
    return 5 if any(is_refused(entry) for entry in manifest["entries"]) else 0


def number_of(kind):
    """The key of NUMBERS for a type of numbers; None for others."""
    cls = kind["class"]
    if cls in ("integer", "bitfield"):
        size = kind["size"]
        return f"{'|' if size == 1 else '<'}{'i' if kind.get('signed') else 'u'}{size}"
    if cls == "enum":
        return "bool" if kind.get("meaning") == "bool" else number_of(kind["base"])
    if cls == "float" and "mantissa" not in kind:
        return f"<f{kind['size']}"
    if cls == "float" and kind["exponent"][1] == 8 and kind["mantissa"][1] == 7 and kind["size"] == 2:
        return "bfloat16"
    if cls == "float":
        return "<f4" if kind["exponent"][1] < 8 and kind["mantissa"][1] <= 23 else "<f8"
    if cls == "complex":
        return f"<c{kind['size']}" if kind["size"] > 4 else "c4"
    parts = kind.get("members", []) if cls == "compound" else []
    if [m["name"] for m in parts] == ["r", "i"] and parts[0]["type"] == parts[1]["type"] and parts[0]["type"]["class"] == "float":
        return f"<c{kind['size']}" if kind["size"] > 4 else "c4"
    return None


def type_of_dtype(dtype):
    """The type that a plain dtype stands for, where the manifest leaves it out."""
    if dtype == "str":
        return {"class": "string", "length": "variable"}
    order, kind, size = dtype[0], dtype[1], int(dtype[2:])
    if kind in "iu":
        return {"class": "integer", "size": size, "signed": kind == "i"}
    return {"class": {"f": "float", "c": "complex"}[kind], "size": size}


def plain(value):
    """A number of the manifest."""
    if isinstance(value, str):
        return float(value.lower()) if value.lower() in ("nan", "inf", "-inf") else int(value)
    return value


def packed(values, code):
    flat = []
    for value in values:
        flat.extend(map(plain, value) if isinstance(value, list) else [plain(value)])
    return struct.pack("<" + str(len(flat)) + code[0], *flat)


def count_of(shape):
    count = 1
    for dim in shape:
        count *= dim
    return count


def reversed_axes(values, shape):
    """Row-major elements with the axes in reverse, row-major again."""
    places = [()]
    for dim in shape[::-1]:
        places = [place + (i,) for place in places for i in range(dim)]
    result = []
    for place in places:
        at = 0
        for i, dim in zip(place[::-1], shape):
            at = at * dim + i
        result.append(values[at])
    return result


class Comparer:
    def __init__(self, manifest, ours):
        self.manifest, self.problems = manifest, []
        self.mine = {}
        for entry in ours["entries"]:
            self.mine[entry["path"]] = entry
        self.order = list(self.mine)

    def problem(self, where, what):
        self.problems.append(f"{where!r} {what}")

    def run(self):
        entries = self.manifest["entries"]
        for entry in entries:
            found = self.mine.get(entry["path"])
            if found is None:
                self.problem(entry["path"], f"is missing ({entry['kind']})")
            else:
                getattr(self, entry["kind"])(entry, found)
                self.hung_on(entry, found)
        due = [e["path"] for e in entries]
        here = set(due)
        if [p for p in due if p in self.mine] != [p for p in self.order if p in here]:
            self.problem("", "has its links in another order")
        return self.problems

    # What stands at a link.

    def group(self, entry, found):
        if found["kind"] != "dict":
            return self.problem(entry["path"], f"is a group, shown as {found['kind']}")
        if len(found["keys"]) != entry["links"]:
            self.problem(entry["path"], f"has {entry['links']} links, {len(found['keys'])} are shown")
        if "names_sha256" in entry:
            names = b"".join(key["value"].encode() + b"\0" for key in found["keys"])
            if hashlib.sha256(names).hexdigest() != entry["names_sha256"]:
                self.problem(entry["path"], "has other names")

    def hardlink(self, entry, found):
        if found["kind"] == "shared" and found["same_as"] == entry["same_as"]:
            return
        first = self.mine.get(entry["same_as"], {})
        if found["kind"] in ("dict", "list", "tensor", "shared") or {**found, "path": "", "role": ""} != {**first, "path": "", "role": ""}:
            self.problem(entry["path"], f"is the same as {entry['same_as']!r}, shown as {found['kind']} {found.get('same_as')}")

    def softlink(self, entry, found):
        if not entry["resolves"]:
            self.state(entry["path"], found, "HDF5SoftLink", {"target": entry["target"]})
        elif found.get("type") == "HDF5SoftLink":
            self.problem(entry["path"], "leads somewhere, shown as dangling")

    def externallink(self, entry, found):
        self.state(entry["path"], found, "HDF5ExternalLink", {"file": entry["file"], "path": entry["target"]})

    def named_datatype(self, entry, found):
        self.state(entry["path"], found, "HDF5Datatype", {})

    def state(self, path, found, cls, values):
        if found["kind"] != "object" or found.get("type") != cls:
            return self.problem(path, f"is a {cls}, shown as {found['kind']} {found.get('type')}")
        for name, value in values.items():
            if self.mine.get(f"{path}/{name}", {}).get("value") != value:
                self.problem(path, f"has another {name}")

    def dataset(self, entry, found):
        path = entry["path"]
        if is_refused(entry):
            if found.get("type") != "damaged":
                self.problem(path, f"is refused by name, shown as {found['kind']}")
            return
        kind = entry["type"]
        if self.manifest.get("file", "").endswith(".mat") and "MATLAB_class" in entry.get("attributes", {}) and len(entry["shape"] or ()) > 1 and number_of(kind):
            first = entry["first"] if len(entry["first"]) == count_of(entry["shape"]) else None
            return self.value(path, kind, entry["shape"][::-1], first and reversed_axes(first, entry["shape"]))
        if found["kind"] == "shared":  # a soft link before it was the first to lead here
            path = found["same_as"]
        self.value(path, kind, entry["shape"], entry.get("first"), entry.get("sha256"), entry.get("sha256_of_stored_bits"))
        self.column_digests(path, entry)

    def hung_on(self, entry, found):
        """All attributes, in their order."""
        path = entry["path"]
        if entry["kind"] in ("hardlink", "softlink", "externallink"):
            return None
        if found["kind"] == "shared":
            path = found["same_as"]
        due = entry.get("attributes", {})
        prefix = path + "/@" if path else "@"
        names = []
        for shown in self.order:
            if shown.startswith(prefix) and is_one_component(shown[len(prefix):]):
                names.append(shown[len(prefix):])
        wanted = [escaped(name) for name in due]
        if names != wanted:
            return self.problem(path, f"has the attributes {wanted[:9]}, {names[:9]} are shown")
        for name, attribute in due.items():
            kind = attribute.get("type") or type_of_dtype(attribute["dtype"])
            first = [attribute["value"]] if "value" in attribute else attribute.get("first")
            self.value(prefix + escaped(name), kind, attribute["shape"], first, attribute.get("sha256"))
            self.column_digests(prefix + escaped(name), attribute)

    # Values.

    def value(self, path, kind, shape, first=None, sha=None, bits_sha=None):
        found = self.mine.get(path)
        if found is None:
            return self.problem(path, "is missing")
        if shape is None:
            return None if found["kind"] == "null" else self.problem(path, f"is null, shown as {found['kind']}")
        number = number_of(kind)
        if number is not None:
            return self.numbers(path, found, number, kind, shape, first, sha, bits_sha)
        if kind["class"] == "array":
            parts = [x for item in first or [] for x in (item if isinstance(item, list) else [item])]
            whole = first is not None and len(first) == count_of(shape)
            return self.value(path, kind["base"], shape + kind["shape"], parts if whole else None, sha)
        if kind["class"] == "time":
            return None if found["kind"] in ("tensor", "int") else self.problem(path, f"is a time, shown as {found['kind']}")
        if kind["class"] == "compound":
            return self.columns(path, found, kind, shape, first)
        leaves = self.leaves(path, shape)
        if leaves is None:
            return None
        first = first or []
        for i, leaf in enumerate(leaves[: len(first)]):
            self.item(leaf, kind, first[i])
        encoded = [self.encoded(leaf, kind) for leaf in leaves]
        if sha is not None and None not in encoded and hashlib.sha256(b"".join(encoded)).hexdigest() != sha:
            self.problem(path, "has another digest")

    def numbers(self, path, found, number, kind, shape, first, sha, bits_sha):
        dtype, code = NUMBERS[number]
        is_odd = kind["class"] == "float" and "mantissa" in kind and dtype != "bfloat16"
        if shape == [] and found["kind"] != "tensor":
            value = found.get("value")
            if first and value != first[0] and not (is_odd and str(value) == str(plain(first[0]))):
                self.problem(path, f"is {first[0]!r}, shown as {value!r}")
            name = None if dtype in PYTHON or dtype == "complex128" else f"numpy.{dtype}"
            if found.get("type") != name and not (dtype == "uint64" and found.get("type") is None):
                self.problem(path, f"is a {dtype}, shown as {found.get('type')}")
            return
        if found["kind"] != "tensor" or found["dtype"] != dtype or found["shape"] != shape:
            return self.problem(path, f"is {dtype} {shape}, shown as {found['kind']} {found.get('dtype')} {found.get('shape')}")
        if "digest" in found:
            return None  # of nothing but fill values, and too large
        wanted = bits_sha if dtype == "bfloat16" else sha
        if (is_odd or wanted is None) and first is not None and len(first) == count_of(shape) and code:
            wanted = hashlib.sha256(packed(first, code)).hexdigest()
            if any("NaN" in str(x) for x in first):
                wanted = None  # whose bits are not said
        if wanted is not None and not (is_odd and bits_sha is None and wanted == sha) and wanted != found.get("sha256"):
            self.problem(path, "has another digest")

    def columns(self, path, found, kind, shape, first):
        names = [member["name"] for member in kind["members"]]
        if found["kind"] != "dict" or [key["value"] for key in found["keys"]] != names:
            return self.problem(path, f"has columns {names[:5]}, shown as {found['kind']}")
        whole = first is not None and len(first) == count_of(shape)
        for member in kind["members"]:
            values = [record[member["name"]] for record in first] if whole else None
            self.value(f"{path}/{escaped(member['name'])}", member["type"], shape, values)

    def column_digests(self, path, entry):
        """Of compounds, where the manifest has them (h5py_manifest.py)."""
        for name, sha in entry.get("columns", {}).items():
            found = self.mine.get(f"{path}/{escaped(name)}", {})
            if found.get("kind") == "tensor" and found["sha256"] != sha:
                self.problem(path, f"has other values in its column {name}")

    def leaves(self, path, shape):
        """The paths of what stands in lists in lists."""
        if not shape:
            return [path]
        found = self.mine.get(path, {})
        if found.get("kind") != "list" or found.get("length") != shape[0]:
            return self.problem(path, f"is a list of {shape[0]}, shown as {found.get('kind')} of {found.get('length')}")
        below = [self.leaves(f"{path}/{i}", shape[1:]) for i in range(shape[0])]
        return None if None in below else [leaf for part in below for leaf in part]

    def item(self, path, kind, value):
        found = self.mine[path]
        cls = kind["class"]
        if cls == "string":
            if isinstance(value, dict) and "not_utf8_hex" in value:
                text = bytes.fromhex(value["not_utf8_hex"]).decode(errors="surrogateescape")
                value = "".join(f"\\u{ord(c):04x}" if 0xDC80 <= ord(c) <= 0xDCFF else c for c in text)
            elif isinstance(value, str) and len(value.encode()) > LONG_TEXT:
                value = None
            if found["kind"] != "string" or (value is not None and shortened(found["value"]) != shortened(value)):
                self.problem(path, f"is {value!r}, shown as {found.get('value')!r}")
        elif cls == "opaque":
            if found["kind"] != "bytes" or found["hex"] != value["hex"][:64] or found["bytes"] != kind["size"]:
                self.problem(path, f"is {value['hex']}, shown as {found.get('hex')}")
        elif cls == "vlen":
            values = value if isinstance(value, list) else None
            if values is not None and len(values) < 16:  # of longer ones the manifest has the beginning
                self.value(path, kind["base"], [len(values)], values)
        elif cls == "reference":
            self.reference(path, found, value)
        else:
            self.problem(path, f"is of a class that this test does not know: {cls}")

    def reference(self, path, found, value):
        target = value.get("region", value.get("ref"))
        if target is None:
            if found["kind"] != "null":
                self.problem(path, f"is a null reference, shown as {found['kind']}")
            return
        if isinstance(target, dict):
            target = "(no link leads there)"
        if found.get("type") != "HDF5Reference" or self.mine[f"{path}/path"].get("value") != target:
            self.problem(path, f"refers to {target!r}, shown as {found.get('type')} {self.mine.get(f'{path}/path', {}).get('value')!r}")
        if "region" in value and self.mine.get(f"{path}/points", {}).get("value") != value["points"]:
            self.problem(path, f"has {value['points']} points, shown as {self.mine.get(f'{path}/points')}")

    def encoded(self, path, kind):
        """The bytes that digests of the manifest are taken of; None where our entries do not hold all."""
        found = self.mine[path]
        if kind["class"] == "string" and found["kind"] == "string" and isinstance(found["value"], str) and "\\u" not in found["value"]:
            text = found["value"].encode()
            if kind["length"] == "variable":
                return struct.pack("<Q", len(text)) + text
            return text.ljust(kind["length"], b"\0") if kind["pad"] == "nullpad" else None
        if kind["class"] == "reference" and kind.get("to") == "object":
            text = self.mine.get(f"{path}/path", {}).get("value", "")
            text = b"" if text == "(no link leads there)" else text.encode()
            return struct.pack("<Q", len(text)) + text
        if kind["class"] == "opaque" and found["kind"] == "bytes" and len(found["hex"]) == 2 * kind["size"]:
            return bytes.fromhex(found["hex"])
        return None


def shortened(text):
    if isinstance(text, dict):
        return (text["head"], text["tail"], text["utf8_bytes"])
    data = text.encode()
    return (text[:40], text[-40:], len(data)) if len(data) > LONG_TEXT else text


def is_one_component(rest):
    """Whether no slash that is not escaped stands in it."""
    at = 0
    while at < len(rest):
        if rest[at] == "/":
            return False
        at += 2 if rest[at] == "\\" else 1
    return True


def escaped(name):
    """A name as a component of a path; the manifest's own names are texts (a backslash is doubled in its paths only)."""
    if name == "":
        return "\\0"
    text = name.replace("\\", "\\\\").replace("/", "\\/")
    return "\\" + text if text.startswith("@") else text


def compare(manifest, ours):
    """Differences as text."""
    return Comparer(manifest, ours).run()
