# Lays `ckpt inspect --json --digest=sha256` of an HDF5 file beside a manifest of what h5py found in it.

DTYPES = {"<f2": "float16", "<f4": "float32", "<f8": "float64", "bool": "bool", "<c8": "complex64", "<c16": "complex128", "bfloat16": "bfloat16",
          **{f"{order}{kind}{size}": f"{'u' if kind == 'u' else ''}int{8 * size}" for order in "<>|" for kind in "iu" for size in (1, 2, 4, 8)},
          ">f2": "float16", ">f4": "float32", ">f8": "float64", ">c8": "complex64", ">c16": "complex128"}

REFUSED_FILTERS = {"bitshuffle", "blosc2", "zfp"}


def is_refused(entry):
    """A dataset with a filter that is refused by name."""
    return any(f["name"] in REFUSED_FILTERS for f in entry.get("filters") or ())


def exit_code(manifest):
    """Of inspecting the whole file: 5 if a dataset of it is refused."""
    return 5 if any(is_refused(entry) for entry in manifest["entries"]) else 0


def compare(manifest, ours):
    """Differences as text."""
    problems = []
    mine = {e["path"]: e for e in ours["entries"]}
    for entry in manifest["entries"]:
        where, kind = entry["path"], entry["kind"]
        found = mine.get(where)
        if found is None:
            problems.append(f"{where!r} is missing ({kind})")
        elif is_refused(entry):
            if found.get("type") != "damaged":
                problems.append(f"{where!r} has a filter that is refused, shown as {found['kind']}")
        elif kind == "group" and found["kind"] != "dict":
            problems.append(f"{where!r} is a group, shown as {found['kind']}")
        elif kind == "hardlink" and (found["kind"] != "shared" or found["same_as"] != entry["same_as"]):
            if not ("value" in found or found["kind"] in ("null", "string")):  # scalars have no identity
                problems.append(f"{where!r} is the same as {entry['same_as']!r}, shown as {found['kind']} {found.get('same_as')}")
        elif kind == "dataset" and entry.get("shape") is None and found["kind"] != "null" and entry["dtype"] != "other":
            problems.append(f"{where!r} is null, shown as {found['kind']}")
        elif kind == "dataset" and entry.get("dtype") in DTYPES and entry.get("shape"):
            if found["kind"] != "tensor" or found["dtype"] != DTYPES[entry["dtype"]] or found["shape"] != entry["shape"]:
                problems.append(f"{where!r} is {entry['dtype']} {entry['shape']}, shown as {found['kind']} {found.get('dtype')} {found.get('shape')}")
            elif entry.get("sha256", found.get("sha256")) != found.get("sha256"):
                problems.append(f"{where!r} has another digest")
        elif kind == "dataset" and entry.get("shape") == [] and entry.get("dtype") in DTYPES and "first" in entry:
            value = found.get("value")
            if value != entry["first"][0] and found["kind"] != "tensor":
                problems.append(f"{where!r} is {entry['first'][0]!r}, shown as {value!r}")
    order = [e["path"] for e in manifest["entries"] if e["kind"] in ("group", "dataset")]
    shown = [p for p in mine if p in set(order)]
    if [p for p in order if p in mine] != shown:
        problems.append("order differs")
    return problems
