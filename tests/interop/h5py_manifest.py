# What h5py finds in a file, in the shape of the fixtures' manifests, for files that are made on the fly.
import hashlib
import struct

import h5py
import numpy as np
from h5py import h5r, h5t

from hdf5_manifest import escaped, number_of

MOST_VALUES = 16


def described(tid):
    """A datatype in HDF5's terms."""
    order = lambda t: "BE" if t.get_order() == h5t.ORDER_BE else "LE"  # noqa: E731
    if isinstance(tid, h5t.TypeIntegerID):
        return {"class": "integer", "size": tid.get_size(), "signed": tid.get_sign() == h5t.SGN_2, "order": order(tid)}
    if isinstance(tid, h5t.TypeFloatID):
        kind = {"class": "float", "size": tid.get_size(), "order": order(tid)}
        sign, exponent, exponent_bits, mantissa, mantissa_bits = tid.get_fields()
        if (tid.get_size(), exponent_bits, mantissa_bits) not in ((2, 5, 10), (4, 8, 23), (8, 11, 52)):
            kind.update(sign_bit=sign, exponent=[exponent, exponent_bits], mantissa=[mantissa, mantissa_bits], bias=tid.get_ebias())
        return kind
    if isinstance(tid, h5t.TypeStringID):
        pads = {h5t.STR_NULLTERM: "nullterm", h5t.STR_NULLPAD: "nullpad", h5t.STR_SPACEPAD: "spacepad"}
        return {"class": "string", "length": "variable" if tid.is_variable_str() else tid.get_size(), "pad": pads[tid.get_strpad()]}
    if isinstance(tid, h5t.TypeBitfieldID):
        return {"class": "bitfield", "size": tid.get_size(), "order": order(tid)}
    if isinstance(tid, h5t.TypeOpaqueID):
        return {"class": "opaque", "size": tid.get_size()}
    if isinstance(tid, h5t.TypeReferenceID):
        return {"class": "reference", "to": "region" if tid.equal(h5t.STD_REF_DSETREG) else "object"}
    if isinstance(tid, h5t.TypeEnumID):
        members = [[tid.get_member_name(i).decode(), tid.get_member_value(i)] for i in range(tid.get_nmembers())]
        is_bool = tid.get_size() == 1 and sorted(members) == [["FALSE", 0], ["TRUE", 1]]
        return {"class": "enum", "base": described(tid.get_super()), "members": members, **({"meaning": "bool"} if is_bool else {})}
    if isinstance(tid, h5t.TypeVlenID):
        return {"class": "vlen", "base": described(tid.get_super())}
    if isinstance(tid, h5t.TypeArrayID):
        return {"class": "array", "shape": list(tid.get_array_dims()), "base": described(tid.get_super())}
    if isinstance(tid, h5t.TypeCompoundID):
        members = [{"name": tid.get_member_name(i).decode(), "type": described(tid.get_member_type(i))} for i in range(tid.get_nmembers())]
        return {"class": "compound", "size": tid.get_size(), "members": members}
    return {"class": "complex", "size": tid.get_size()}


class Describer:
    def __init__(self, file):
        self.file, self.entries, self.met = file, [], {}

    def run(self):
        self.member("", self.file, self.file)
        return {"entries": self.entries}

    def member(self, path, link, item):
        address = h5py.h5o.get_info(item.id).addr
        if address in self.met:
            return self.entries.append({"path": path, "kind": "hardlink", "same_as": self.met[address]})
        self.met[address] = path
        entry = {"path": path}
        self.entries.append(entry)
        if isinstance(item, h5py.Group):
            entry.update(kind="group", links=len(item))
        elif isinstance(item, h5py.Datatype):
            entry.update(kind="named_datatype")
        else:
            entry.update(kind="dataset", **self.values(item.id, lambda: item[()]))
        attributes = {}
        for name in item.attrs:
            attributes[name] = self.values(item.attrs.get_id(name), lambda name=name: item.attrs[name])
        if attributes:
            entry["attributes"] = attributes
        if not isinstance(item, h5py.Group):
            return
        for name in item:
            below = f"{path}/{escaped(name)}" if path else escaped(name)
            found = item.get(name, getlink=True)
            if isinstance(found, h5py.SoftLink):
                self.entries.append({"path": below, "kind": "softlink", "target": found.path, "resolves": item.get(name) is not None})
            elif isinstance(found, h5py.ExternalLink):
                self.entries.append({"path": below, "kind": "externallink", "file": found.filename, "target": found.path})
            else:
                self.member(below, found, item[name])

    def values(self, item, read):
        kind = described(item.get_type())
        space = item.get_space()
        if space.get_simple_extent_type() == h5py.h5s.NULL:
            return {"type": kind, "dtype": "", "shape": None}
        shape = list(space.shape)
        values = read()
        if isinstance(values, h5py.Empty):
            values = np.zeros(shape)
        elements = list(self.elements(values, kind, shape))
        result = {"type": kind, "dtype": "", "shape": shape}
        if len(elements) <= MOST_VALUES:
            result["first"] = [self.shown(e, kind) for e in elements]
        if kind["class"] == "compound" and number_of(kind) is None:
            result["columns"] = self.columns(elements, kind)
        is_odd = "mantissa" in str(kind) or kind["class"] in ("vlen", "complex")
        if not is_odd:
            result["sha256"] = hashlib.sha256(b"".join(self.encoded(e, kind) for e in elements)).hexdigest()
        return result

    def columns(self, elements, kind):
        digests = {}
        for member in kind["members"]:
            column = [e[member["name"]] for e in elements]
            if member["type"]["class"] in ("integer", "float", "enum", "bitfield", "array") and "mantissa" not in str(member["type"]):
                digests[member["name"]] = hashlib.sha256(b"".join(self.encoded(e, member["type"]) for e in column)).hexdigest()
        return digests

    @staticmethod
    def elements(values, kind, shape):
        if not shape:
            return [values]
        values = np.asarray(values) if not isinstance(values, np.ndarray) else values
        return values.reshape([-1, *values.shape[len(shape):]])

    def shown(self, value, kind):
        cls = kind["class"] if number_of(kind) is None else "number"
        if cls == "compound":
            return {m["name"]: self.shown(value[m["name"]], m["type"]) for m in kind["members"]}
        if cls == "array":
            return [self.shown(v, kind["base"]) for v in np.asarray(value).reshape(-1)]
        if cls == "vlen":
            return [self.shown(v, kind["base"]) for v in value]
        if cls == "string":
            data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)
            try:
                return data.decode()
            except UnicodeDecodeError:
                return {"not_utf8_hex": data.hex()}
        if cls == "opaque":
            return {"hex": bytes(value.tobytes()).hex() if hasattr(value, "tobytes") else bytes(value).hex()}
        if cls == "reference":
            return self.reference(value, kind)
        value = value.item() if hasattr(value, "item") else value
        if isinstance(value, complex):
            return [self.number(value.real), self.number(value.imag)]
        return self.number(value)

    @staticmethod
    def number(value):
        if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
            return "NaN" if value != value else "Inf" if value > 0 else "-Inf"
        return str(value) if isinstance(value, int) and abs(value) >= 2**53 else value

    def reference(self, value, kind):
        key = "region" if kind["to"] == "region" else "ref"
        if not value:
            return {key: None}
        name = h5r.get_name(value, self.file.id)
        if name is None:
            return {key: {"dangling": True}}
        result = {key: name.decode().strip("/")}
        if key == "region":
            result["points"] = h5r.get_region(value, self.file.id).get_select_npoints()
        return result

    def encoded(self, value, kind):
        cls = kind["class"] if number_of(kind) is None else "number"
        if cls == "compound":
            return b"".join(self.encoded(value[m["name"]], m["type"]) for m in kind["members"])
        if cls == "array":
            return b"".join(self.encoded(v, kind["base"]) for v in np.asarray(value).reshape(-1))
        if cls == "vlen":
            return struct.pack("<Q", len(value)) + b"".join(self.encoded(v, kind["base"]) for v in value)
        if cls == "string":
            data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else bytes(value)
            return struct.pack("<Q", len(data)) + data if kind["length"] == "variable" else data.ljust(kind["length"], b"\0")
        if cls == "reference":
            target = self.reference(value, kind)
            name = target.get("ref", target.get("region"))
            data = name.encode() if isinstance(name, str) else b""
            return struct.pack("<Q", len(data)) + data
        if cls == "opaque":
            return value.tobytes() if hasattr(value, "tobytes") else bytes(value)
        value = np.asarray(value)
        return value.astype(value.dtype.newbyteorder("<")).tobytes()


def manifest(path):
    with h5py.File(path, "r") as file:
        return Describer(file).run()
