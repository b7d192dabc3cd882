# Every file of the fixture collection against its manifest.
from check_manifests import check
from common import FIXTURES, Tally, arguments

options = arguments()
tally = Tally("manifests")
if not FIXTURES.is_dir():
    tally.skip("the fixture collection is not beside the repository")
    tally.passed += 1
    tally.finish()

for expected in sorted((FIXTURES / "torch").rglob("*.expected.json")):
    check(options.ckpt, expected, tally)
for expected in sorted((FIXTURES / "jld2").rglob("*.expected.json")):
    check(options.ckpt, expected, tally)
for expected in sorted((FIXTURES / "hdf5").glob("*.expected.json")):
    check(options.ckpt, expected, tally)
for expected in sorted((FIXTURES / "pyhopper").rglob("*.expected.json")):
    check(options.ckpt, expected, tally)
for expected in sorted((FIXTURES / "pickle").rglob("*.expected.json")):
    check(options.ckpt, expected, tally)
for expected in sorted((FIXTURES / "mammoth").rglob("*.expected.json")):
    check(options.ckpt, expected, tally)
for expected in sorted((FIXTURES / "blackit").rglob("*.expected.json")):
    check(options.ckpt, expected, tally)
for expected in sorted((FIXTURES / "zero").glob("*.expected.json")):
    check(options.ckpt, expected, tally)
tally.finish()
