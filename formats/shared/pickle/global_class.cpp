// The list of what is harmless; the other list is that of dangerous.cpp.
#include "formats/shared/pickle/global_class.hpp"

#include <algorithm>
#include <array>

#include "formats/shared/pickle/dangerous.hpp"
#include "formats/shared/pickle/weights_only_names.hpp"

namespace ckpt {
namespace {

// Beyond what weights_only loading takes. Each makes a plain value out of what it is given: none calls an argument,
// opens, imports or runs anything.
constexpr std::array<std::string_view, 101> kHarmless = {
    "argparse.Namespace",
    "array._array_reconstructor",
    "array.array",
    "builtins.Ellipsis",
    "builtins.NotImplemented",
    "builtins.bool",
    "builtins.bytes",
    "builtins.dict",
    "builtins.float",
    "builtins.frozenset",
    "builtins.int",
    "builtins.list",
    "builtins.object",
    "builtins.range",
    "builtins.slice",
    "builtins.str",
    "builtins.tuple",
    "collections.defaultdict",
    "collections.deque",
    "copyreg._reconstructor",
    "datetime.date",
    "datetime.datetime",
    "datetime.time",
    "datetime.timedelta",
    "datetime.timezone",
    "decimal.Decimal",
    "fractions.Fraction",
    "numpy._core.multiarray._reconstruct",
    "numpy._core.multiarray.scalar",
    "numpy._core.numeric._frombuffer",
    "numpy.core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy.core.numeric._frombuffer",
    "numpy.dtype",
    "numpy.ma.MaskedArray",
    "numpy.ma.core.MaskedArray",
    "numpy.ma.core._mareconstruct",
    "numpy.ndarray",
    "numpy.random._generator.Generator",
    "numpy.random._mt19937.MT19937",
    "numpy.random._pcg64.PCG64",
    "numpy.random._pcg64.PCG64DXSM",
    "numpy.random._philox.Philox",
    "numpy.random._pickle.__bit_generator_ctor",
    "numpy.random._pickle.__generator_ctor",
    "numpy.random._pickle.__randomstate_ctor",
    "numpy.random._sfc64.SFC64",
    "numpy.random.bit_generator.SeedSequence",
    "numpy.random.bit_generator.__pyx_unpickle_SeedSequence",
    "numpy.random.mtrand.RandomState",
    "numpy.rec.recarray",
    "numpy.rec.record",
    "numpy.recarray",
    "numpy.record",
    "pathlib.Path",
    "pathlib.PosixPath",
    "pathlib.PurePath",
    "pathlib.PurePosixPath",
    "pathlib.PureWindowsPath",
    "pathlib.WindowsPath",
    "pathlib._local.Path",
    "pathlib._local.PosixPath",
    "pathlib._local.PurePath",
    "pathlib._local.PurePosixPath",
    "pathlib._local.PureWindowsPath",
    "pathlib._local.WindowsPath",
    "torch._C.Generator",
    "torch._dynamo.decorators._DimRange",
    "torch._utils._rebuild_sparse_csr_tensor",
    "torch.channels_last",
    "torch.contiguous_format",
    "torch.distributed._shard.checkpoint.filesystem._StorageInfo",
    "torch.distributed._shard.checkpoint.metadata.BytesStorageMetadata",
    "torch.distributed._shard.checkpoint.metadata.ChunkStorageMetadata",
    "torch.distributed._shard.checkpoint.metadata.Metadata",
    "torch.distributed._shard.checkpoint.metadata.MetadataIndex",
    "torch.distributed._shard.checkpoint.metadata.TensorStorageMetadata",
    "torch.distributed._shard.sharded_tensor.metadata.MEM_FORMAT_ENCODING",
    "torch.distributed._shard.sharded_tensor.metadata.TensorProperties",
    "torch.distributed.checkpoint.filesystem._StorageInfo",
    "torch.distributed.checkpoint.metadata.BytesStorageMetadata",
    "torch.distributed.checkpoint.metadata.ChunkStorageMetadata",
    "torch.distributed.checkpoint.metadata.Metadata",
    "torch.distributed.checkpoint.metadata.MetadataIndex",
    "torch.distributed.checkpoint.metadata.StorageMeta",
    "torch.distributed.checkpoint.metadata.TensorProperties",
    "torch.distributed.checkpoint.metadata.TensorStorageMetadata",
    "torch.distributed.checkpoint.metadata._MEM_FORMAT_ENCODING",
    "torch.jit._pickle.build_boollist",
    "torch.jit._pickle.build_doublelist",
    "torch.jit._pickle.build_intlist",
    "torch.jit._pickle.build_tensorlist",
    "torch.jit._pickle.restore_type_tag",
    "torch.nn.parameter.Buffer",
    "torch.nn.parameter.UninitializedBuffer",
    "torch.nn.parameter.UninitializedParameter",
    "torch.preserve_format",
    "torch.storage._load_from_bytes",
    "torch.strided",
    "types.SimpleNamespace",
    "uuid.UUID"};

/// Modules that others have imported, and attributes that lead to all the rest: names may go through them
/// ("torch._utils.sys.modules").
constexpr std::array<std::string_view, 26> kWays = {"os",
                                                    "posix",
                                                    "nt",
                                                    "subprocess",
                                                    "sys",
                                                    "pickle",
                                                    "runpy",
                                                    "importlib",
                                                    "shutil",
                                                    "socket",
                                                    "ctypes",
                                                    "marshal",
                                                    "pty",
                                                    "webbrowser",
                                                    "multiprocessing",
                                                    "__builtins__",
                                                    "__globals__",
                                                    "__subclasses__",
                                                    "__import__",
                                                    "__loader__",
                                                    "__spec__",
                                                    "__code__",
                                                    "__getattribute__",
                                                    "__reduce__",
                                                    "__reduce_ex__",
                                                    "__dict__"};

/// NumPy's scalar types and the classes of its dtypes.
bool is_numpy_type(std::string_view full) {
    if (full.starts_with("numpy.dtypes.")) {
        const std::string_view name = full.substr(13);
        return name.ends_with("DType") && name.find('.') == std::string_view::npos;
    }
    constexpr std::array kTypes = {"bool_",       "bool",       "int8",        "int16",     "int32",      "int64",
                                   "uint8",       "uint16",     "uint32",      "uint64",    "float16",    "float32",
                                   "float64",     "float128",   "longdouble",  "complex64", "complex128", "complex256",
                                   "clongdouble", "datetime64", "timedelta64", "str_",      "bytes_",     "longlong",
                                   "ulonglong",   "intc",       "uintc"};
    return full.starts_with("numpy.") &&
           std::any_of(kTypes.begin(), kTypes.end(), [&](std::string_view type) { return full.substr(6) == type; });
}

}  // namespace

GlobalClass classify_global(std::string_view full) noexcept {
    if (weights_only_name(full).generations != 0 || is_numpy_type(full) ||
        std::binary_search(kHarmless.begin(), kHarmless.end(), full))
        return GlobalClass::kHarmless;
    if (is_dangerous_global(full)) return GlobalClass::kDangerous;
    for (std::string_view rest = full;;) {
        const auto dot = rest.find('.');
        if (dot == std::string_view::npos) return GlobalClass::kUnknown;
        rest.remove_prefix(dot + 1);
        const std::string_view component = rest.substr(0, rest.find('.'));
        const bool is_way = std::find(kWays.begin(), kWays.end(), component) != kWays.end();
        if (is_way || (component == "builtins" && is_dangerous_global(rest))) return GlobalClass::kDangerous;
    }
}

bool is_harmless_by_arguments(std::string_view full) noexcept {
    return full == "_codecs.encode" || full == "torch.storage._load_from_bytes";
}

}  // namespace ckpt
