# Lays `ckpt inspect --json --digest=sha256` of a saving folder beside what black-it itself restored from it.
import torch_manifest


def compare(manifest, ours):
    """Differences as text. The package's restored arrays are compared where it reads the CSV rightly, else the CSV's own numbers."""
    entries = {e["path"]: e for e in manifest["entries"]}
    shown = {}
    for e in ours["entries"]:
        shown.setdefault(e["path"], e)
    samplers = "samplers" if entries["scheduler"]["kind"] == "none" else "scheduler/_samplers"
    problems, moved = [], []

    def class_of(path, place):
        if entries[path]["value"] != shown.get(place, {}).get("type"):
            problems.append(f"{place!r}: {entries[path]['value']} is shown as {shown.get(place, {}).get('type')}")

    def generator(path, place):
        """The numbers of a random generator: what its classes make of them is theirs."""
        found = {str(e.get("value")) for p, e in shown.items() if p == place or p.startswith(place + "/")}
        for p, e in entries.items():
            if p.startswith(path + "/") and e["kind"] == "int" and str(e["value"]) not in found:
                problems.append(f"{place!r}: the generator's {p[len(path) + 1:]} {e['value']} is not shown")

    def moved_to(path):
        for prefix, there in (("samplers_state/", samplers + "/"), ("loss_function_state/", "loss_function/")):
            if path.startswith(prefix):
                return there + path[len(prefix):]
        return path

    generators = [p for p, e in entries.items() if e.get("type", "").startswith("numpy.random.")]
    for path, entry in entries.items():
        place = moved_to(path)
        inside = next((g for g in generators if path.startswith(g + "/")), None)
        if path == "" or inside or path.startswith("csv_"):
            continue
        if path in generators:
            generator(path, place)
        elif path == "scheduler" or path == "loss_function":
            if entry["kind"] != "none":
                class_of(path, place)
        elif path.startswith("samplers/"):
            class_of(path, samplers + path[len("samplers"):])
        elif path in ("samplers", "samplers_state", "loss_function_state") or path.startswith("samplers_state/") and path.count("/") == 1:
            continue  # lists of classes, and the attributes of one object
        else:
            of_csv = entries.get("csv_" + path)
            moved.append(dict(of_csv or entry, path=place, **({"same_as": moved_to(entry["same_as"])} if "same_as" in entry else {})))
    return problems + torch_manifest.compare({"entries": moved}, ours)
