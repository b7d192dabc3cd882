# Every damaged or hostile file ends as its own table says; nothing crashes, hangs or eats memory.
import csv
import json
import resource
import subprocess

from common import FIXTURES, Tally, arguments, scratch

options = arguments()
tally = Tally("damaged files")
if not FIXTURES.is_dir():
    tally.skip("the fixture collection is not beside the repository")
    tally.passed += 1
    tally.finish()


def most_memory():
    """Peak resident set of the largest run so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def inspect(path):
    try:
        done = subprocess.run([options.ckpt, "inspect", "--json", path], capture_output=True, timeout=10)
    except subprocess.TimeoutExpired:
        return "timeout", b"", ""
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


with open(FIXTURES / "torch/bad/outcomes.tsv") as table:
    for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE):
        code, out, err = inspect(FIXTURES / "torch/bad" / row["file"])
        name, what = row["file"], row["expected"]
        said = f"{name} ({what}: {row['what']}): exit {code}: {err.strip()[:200]}"
        either = "reading" in row["what"] and "right too" in row["what"] or "depth limit" in row["what"]
        if what == "damaged":
            good = code == 4 or (either and code == 0)
        elif what == "foreign":
            good = code == 3 or ("may read it" in row["what"] and code == 0)  # a bare pickle has a layout of its own
        elif what == "warn":
            good = code == 0 and "warning" in err
        elif what == "reads":
            good = code == 0 or (either and code in (4, 5))
        else:  # hostile: refused, or read as plain data with a word about it
            good = code in (4, 5) or (code == 0 and (err != "" or "right too" in row["what"]))
        tally.check(good and (code == 0 or (out == b"" and err.count("\n") >= 1)), said)


for case in json.loads((FIXTURES / "hdf5/bad/cases.json").read_text()):
    code, out, err = inspect(FIXTURES / "hdf5/bad" / case["name"])
    said = f"{case['name']} ({case['must']}: {case['note']}): exit {code}: {err.strip()[:200]}"
    if case["must"] == "error":
        good = code in (3, 4, 5)
    elif case["must"] == "read":
        good = code == 0
    elif case["must"] == "list":  # what is sound is listed, whatever is said of the rest
        good = code in (0, 4, 5) and len(json.loads(out or b'{"entries": []}')["entries"]) > 1
    else:
        good = code in (0, 4, 5)
    tally.check(good and (code == 0 or err.count("\n") >= 1), said)
tally.check(most_memory() <= 256, f"the largest took {most_memory():.0f} MiB")
tally.finish()
