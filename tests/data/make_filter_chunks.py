# Writes hdf5/filter_chunks.tsv: chunks that HDF5's own filters and the plugins encoded, and what they decode to.
# Needs h5py and hdf5plugin: make_filter_chunks.py OUT [RANDOM_NBIT_TYPES]
import io
import sys

import h5py
import hdf5plugin  # noqa: F401 - registers bzip2, lz4, blosc
import numpy as np
from h5py import h5d, h5p, h5s, h5t, h5z

NAMES = {4: "szip", 5: "nbit", 6: "scaleoffset", 307: "bzip2", 32000: "lzf", 32001: "blosc", 32004: "lz4"}


def chunk(out, case, elements, setup, file_type=None, fill=None):
    """One chunk of all elements, as the library stores it and as it reads it back: one line."""
    file_type = file_type or h5t.py_create(elements.dtype)
    create = h5p.create(h5p.DATASET_CREATE)
    create.set_chunk(elements.shape)
    if fill is not None:
        create.set_fill_value(np.array(fill, elements.dtype))
    setup(create)
    raw = np.zeros(elements.size * file_type.get_size(), np.uint8)
    memory = io.BytesIO()
    try:  # the library refuses some types, and some of its own chunks
        with h5py.File(memory, "w") as file:
            dataset = h5d.create(file.id, b"d", file_type, h5s.create_simple(elements.shape), create)
            dataset.write(h5s.ALL, h5s.ALL, np.ascontiguousarray(elements), file_type)
        with h5py.File(memory) as file:  # with an empty cache
            dataset = file["d"].id
            dataset.read(h5s.ALL, h5s.ALL, raw, file_type)
            mask, stored = dataset.read_direct_chunk((0,) * elements.ndim)
            number, _, parameters, _ = dataset.get_create_plist().get_filter(0)
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        print(f"left out: {case}: {error}", file=sys.stderr)
        return
    if mask == 0:  # else the filter was of no use
        out.write(f"{NAMES[number]}\t{case}\t{','.join(map(str, parameters))}\t{stored.hex()}\t{raw.tobytes().hex()}\n")


def scale_offset(out):
    for dtype in ("i1", "u1", "<i2", ">u2", "<i4", ">i4", "<u8", ">i8"):
        small = np.array([7, 9, 100, 8, 7, 0, 31, 9, 9], dtype)
        chunk(out, dtype, small, lambda p: p.set_scaleoffset(h5z.SO_INT, 0))
        chunk(out, dtype + " fill", small, lambda p: p.set_scaleoffset(h5z.SO_INT, 0), fill=100)
        chunk(out, dtype + " 7 bits", small, lambda p: p.set_scaleoffset(h5z.SO_INT, 7))
        info = np.iinfo(dtype)
        wide = np.array([info.min, info.max, 5], dtype)
        chunk(out, dtype + " whole range", wide, lambda p: p.set_scaleoffset(h5z.SO_INT, 0))
        chunk(out, dtype + " unchanged", wide, lambda p: p.set_scaleoffset(h5z.SO_INT, 8 * info.dtype.itemsize))
        chunk(out, dtype + " all equal", np.full(6, 42, dtype), lambda p: p.set_scaleoffset(h5z.SO_INT, 0), fill=1)
    chunk(out, "<i4 negative", np.array([-5, -1, -1000, 3], "<i4"), lambda p: p.set_scaleoffset(h5z.SO_INT, 0), fill=-1)
    for dtype in ("<f4", ">f4", "<f8", ">f8"):
        values = np.array([1.25, -3.1, 0, 2.718281828, -99.5, 1.25], dtype)
        for decimals in (0, 2, 5):
            chunk(out, f"{dtype} {decimals} decimals", values, lambda p: p.set_scaleoffset(h5z.SO_FLOAT_DSCALE, decimals))
        chunk(out, dtype + " fill", values, lambda p: p.set_scaleoffset(h5z.SO_FLOAT_DSCALE, 3), fill=1.25)
        chunk(out, dtype + " whole range", values * 1e30, lambda p: p.set_scaleoffset(h5z.SO_FLOAT_DSCALE, 3))


def integer(size, order, precision, offset):
    kind = h5t.py_create(np.dtype(f"{order}i{size}")).copy()
    kind.set_precision(precision)
    kind.set_offset(offset)
    return kind


def random_type(random, depth):
    """A type that n-bit packs: numbers in part of their bits, floats, texts, arrays, compounds."""
    choice = random.integers(0, 7 if depth < 3 else 4)
    if choice <= 1:
        size = int(random.choice([1, 2, 4, 8]))
        precision = int(random.integers(1, 8 * size + 1))
        return integer(size, random.choice(["<", ">"]), precision, int(random.integers(0, 8 * size - precision + 1)))
    if choice == 2:
        kind = h5t.C_S1.copy()
        kind.set_size(int(random.integers(1, 6)))
        return kind
    if choice == 3:
        kind = h5t.IEEE_F32BE.copy()
        kind.set_fields(26, 20, 6, 7, 13)
        kind.set_offset(7)
        kind.set_precision(20)
        return kind
    if choice == 4:
        return h5t.array_create(random_type(random, depth + 1), tuple(int(n) for n in random.integers(1, 4, random.integers(1, 3))))
    members = [random_type(random, depth + 1) for _ in range(random.integers(1, 4))]
    gaps = [int(random.integers(0, 3)) for _ in members]
    kind = h5t.create(h5t.COMPOUND, sum(m.get_size() for m in members) + sum(gaps) + int(random.integers(0, 3)))
    at = 0
    for i, (member, gap) in enumerate(zip(members, gaps)):
        at += gap
        kind.insert(b"m%d" % i, at, member)
        at += member.get_size()
    return kind


def packed(out, case, kind, count, random):
    """Random bytes as elements of a type: what the filter does not keep reads as zeros."""
    raw = random.integers(0, 256, count * kind.get_size(), dtype=np.uint8)
    elements = np.zeros(count, np.dtype(f"V{kind.get_size()}"))
    elements[:] = raw.view(elements.dtype)
    chunk(out, case, elements, lambda p: p.set_filter(5, 0, ()), kind)


def n_bit(out, types):
    random = np.random.default_rng(5)
    for size, order, precision, offset in ((1, "<", 3, 2), (2, "<", 11, 0), (2, ">", 9, 7), (4, "<", 17, 3), (4, ">", 17, 3), (4, "<", 8, 8),
                                           (8, "<", 63, 1), (8, ">", 57, 4), (8, "<", 1, 63), (4, "<", 32, 0)):
        packed(out, f"{order}i{size} {precision} bits at {offset}", integer(size, order, precision, offset), 7, random)
    # What follows an array of arrays is packed as something else.
    kind = h5t.create(h5t.COMPOUND, 8)
    kind.insert(b"a", 0, integer(4, "<", 26, 4))
    kind.insert(b"b", 5, h5t.array_create(h5t.array_create(integer(1, "<", 7, 1), (1,)), (2,)))
    kind.insert(b"c", 7, integer(1, "<", 6, 2))
    packed(out, "array of arrays, then a number", kind, 3, random)
    for i in range(types):
        packed(out, f"random type {i}", random_type(random, 0 if i % 4 == 0 else 1), 3, random)


def szip(out):
    random = np.random.default_rng(4)
    walk = np.cumsum(random.integers(-4, 6, 60))
    for dtype in ("i1", "<u2", ">i2", "<i4", ">f4", "<f8", ">u8"):
        for option, block in ((4, 8), (32, 10), (4, 32), (32, 2)):
            chunk(out, f"{dtype} option {option} block {block}", walk.astype(dtype).reshape(3, 20)[:, : 20 if block < 32 else 16], lambda p: p.set_szip(option, block))
    chunk(out, "zeros", np.zeros((4, 20), "<i4"), lambda p: p.set_szip(32, 4))
    chunk(out, "noise", random.integers(0, 256, 64, dtype=np.uint8), lambda p: p.set_szip(32, 16))


def codecs(out):
    text = np.frombuffer(b"a chunk of text, a chunk of text, and a chunk of another text; " * 3, np.uint8)
    steps = (np.arange(80) // 7).astype("<i4")
    for name, elements in (("text", text), ("steps", steps), ("zeros", np.zeros(60, "<f8"))):
        chunk(out, name, elements, lambda p: p.set_filter(32000, 1, ()))
        chunk(out, name, elements, lambda p: p.set_filter(307, 1, (9,)))
        for block in (0, 64, 100):
            chunk(out, f"{name} blocks of {block}", elements, lambda p: p.set_filter(32004, 1, (block,)))
        for codec in range(6):
            for shuffle in range(3):
                chunk(out, f"{name} codec {codec} shuffle {shuffle}", elements, lambda p: p.set_filter(32001, 1, (0, 0, 0, 0, 5, shuffle, codec)))
    noise = np.random.default_rng(3).integers(0, 256, 70, dtype=np.uint8)
    for filter_id, options in ((32004, (0,)), (32004, (32,)), (32001, (0, 0, 0, 0, 5, 1, 0)), (307, (1,))):
        chunk(out, "noise", noise, lambda p: p.set_filter(filter_id, 1, options))


if __name__ == "__main__":
    with open(sys.argv[1], "w") as out:
        out.write("filter\tcase\tparameters\tstored\telements\n")
        scale_offset(out)
        n_bit(out, int(sys.argv[2]) if len(sys.argv) > 2 else 40)
        szip(out)
        codecs(out)
