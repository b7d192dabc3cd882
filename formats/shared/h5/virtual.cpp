// Mappings of virtual datasets resolved, and read run by run. Facts: hdf5.md, 13.4 and 13.5.
#include "formats/shared/h5/virtual.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "formats/shared/h5/data.hpp"
#include "formats/shared/h5/messages.hpp"
#include "formats/shared/h5/selection.hpp"
#include "formats/shared/h5/write.hpp"

namespace ckpt::h5 {
namespace {

constexpr unsigned kMaxNesting = 8;
constexpr std::size_t kMaxNumberedSources = std::size_t{1} << 20;

/// Elements of a source stand for elements of the virtual dataset, in row-major order of both.
struct Mapping {
    std::string file;
    std::string dataset;
    Selection source;
    Selection target;
};

std::string_view shared_name(const std::vector<Mapping>& before, std::uint64_t entry, bool is_file) {
    require(entry < before.size(), "virtual dataset: a name is that of entry {} of {}", entry, before.size());
    const Mapping& first = before[static_cast<std::size_t>(entry)];
    return is_file ? first.file : first.dataset;
}

std::vector<Mapping> read_mappings(const H5File& file, const Layout& layout) {
    enum Flag : unsigned { kSharedFile = 1, kSharedDataset = 2, kSameFile = 4 };
    std::vector<Mapping> mappings;
    if (layout.address == kUndefinedAddress || layout.address == 0) return mappings;
    const std::string bytes = file.heap_object(layout.address, layout.virtual_index);
    Cursor cursor(bytes, file.image().widths(), "virtual dataset");
    const unsigned version = cursor.u8();
    require(version <= 1, "virtual dataset has version {}", version);
    const std::uint64_t count = cursor.length();
    require(count <= cursor.left() / 16, "virtual dataset claims {} sources in {} bytes", count, cursor.left());
    file.count_mappings(count);
    for (std::uint64_t i = 0; i < count; ++i) {
        Mapping mapping;
        const unsigned flags = version == 0 ? 0U : cursor.u8();
        if ((flags & kSameFile) != 0) {
            mapping.file = ".";
        } else if ((flags & kSharedFile) != 0) {
            mapping.file = shared_name(mappings, cursor.length(), true);
        } else {
            mapping.file = cursor.text();
        }
        if ((flags & kSharedDataset) != 0) {
            mapping.dataset = shared_name(mappings, cursor.length(), false);
        } else {
            mapping.dataset = cursor.text();
        }
        mapping.source = read_selection(cursor);
        mapping.target = read_selection(cursor);
        mappings.push_back(std::move(mapping));
    }
    cursor.checksum();
    return mappings;
}

/// The dimension along which a selection goes on for ever.
std::optional<std::size_t> unlimited_dimension(const Selection& selection) {
    for (std::size_t i = 0; i < selection.slabs.size(); ++i) {
        if (selection.slabs[i].is_unlimited()) return i;
    }
    return std::nullopt;
}

/// How many elements an unlimited slab has along a dimension of that size.
std::uint64_t slices_within(const Selection::Slab& slab, std::uint64_t extent) {
    if (extent <= slab.start) return 0;
    const std::uint64_t room = extent - slab.start;
    if (slab.block == Selection::kUnlimited || slab.stride == slab.block) return room;
    const std::uint64_t rest = room % slab.stride;
    return room / slab.stride * slab.block + std::min(rest, slab.block);
}

/// An unlimited slab with that many elements.
Selection::Slab limited(const Selection::Slab& slab, std::uint64_t slices) {
    if (slab.block == Selection::kUnlimited || slab.stride == slab.block) return {slab.start, 1, 1, slices};
    if (slab.block == 0 || slices % slab.block != 0)
        throw_error(ErrorCode::kUnsupported, "virtual datasets with a part of a block at their end are not read");
    return {slab.start, slab.stride, slices / slab.block, slab.block};
}

std::uint64_t end_of(const Selection::Slab& slab) {
    if (slab.count == 0 || slab.block == 0) return 0;
    return slab.start + checked_product(slab.count - 1, slab.stride, "virtual dataset") + slab.block;
}

/// `%b` becomes a number, `%%` a percent sign.
std::string numbered(std::string_view name, std::uint64_t number) {
    std::string result;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const char next = name[i] == '%' && i + 1 < name.size() ? name[i + 1] : '\0';
        if (next == 'b') {
            result += std::to_string(number);
        } else {
            result += name[i];
        }
        if (next == 'b' || next == '%') ++i;
    }
    return result;
}

bool is_numbered(const Mapping& mapping) {
    return numbered(mapping.file, 0) != numbered(mapping.file, 1) ||
           numbered(mapping.dataset, 0) != numbered(mapping.dataset, 1);
}

/// A source that was found.
struct Source {
    std::shared_ptr<const H5File> holder;  ///< where it lies in another file
    Dataset dataset;
    BlobPtr blob;  ///< once it was asked for
};

/// Finds sources, each once. `trail` are the virtual datasets that are being put together, outermost first.
class SourceFinder {
public:
    using Trail = std::vector<std::pair<std::uint64_t, std::uint32_t>>;
    SourceFinder(const H5File& file, Trail trail) : file_(file), trail_(std::move(trail)) {}

    /// nullptr where there is no such dataset. Throws Error (kRefused) where its file may not be read.
    Source* find(const std::string& file_name, const std::string& name) {
        const auto [at, is_new] = found_.try_emplace({file_name, name});
        if (!is_new) return at->second ? &*at->second : nullptr;
        const bool is_here = file_name == ".";
        std::shared_ptr<const H5File> other;
        if (!is_here) {
            other = file_.sibling(file_name, fmt::format("source '{}'", name));
            if (!other) return nullptr;
        }
        const H5File& holder = is_here ? file_ : *other;
        const auto address = holder.resolve(holder.root_address(), name);
        if (!address) return nullptr;
        const auto object = holder.object(*address);
        if (object->kind() != ObjectKind::kDataset) return nullptr;
        at->second = Source{other, object->dataset(VirtualExtent::kStored), nullptr};
        return &*at->second;
    }

    const BlobPtr& blob(Source& source, const std::string& name) {
        if (source.blob) return source.blob;
        const H5File& holder = source.holder ? *source.holder : file_;
        if (source.dataset.layout.cls != LayoutClass::kVirtual) {
            source.blob = holder.data(source.dataset);
        } else {
            const std::pair place{source.dataset.layout.address, source.dataset.layout.virtual_index};
            if (!source.holder && std::find(trail_.begin(), trail_.end(), place) != trail_.end())
                throw_error(ErrorCode::kRefused, "its source '{}' is made of the dataset itself", name);
            if (trail_.size() >= kMaxNesting)
                throw_error(ErrorCode::kRefused, "virtual datasets are nested more than {} deep", kMaxNesting);
            Trail trail = source.holder ? Trail(trail_.size()) : trail_;
            trail.push_back(place);
            source.blob = make(holder, source.dataset, std::move(trail));
        }
        return source.blob;
    }

    /// The mappings with numbered sources and open ends written out.
    std::vector<Mapping> settled(std::vector<Mapping> mappings) {
        std::vector<Mapping> result;
        for (Mapping& mapping : mappings) {
            const auto target = unlimited_dimension(mapping.target);
            if (!target) {
                if (unlimited_dimension(mapping.source))
                    throw_error(ErrorCode::kUnsupported, "a virtual dataset with an end, its source without");
                mapping.file = numbered(mapping.file, 0);
                mapping.dataset = numbered(mapping.dataset, 0);
                result.push_back(std::move(mapping));
            } else if (is_numbered(mapping)) {
                add_numbered(mapping, *target, result);
            } else {
                settle_end(mapping, *target);
                result.push_back(std::move(mapping));
            }
        }
        return result;
    }

    static BlobPtr make(const H5File& file, const Dataset& dataset, Trail trail);

private:
    void add_numbered(const Mapping& mapping, std::size_t dimension, std::vector<Mapping>& result) {
        const Selection::Slab slab = mapping.target.slabs[dimension];
        if (slab.block == Selection::kUnlimited)
            throw_error(ErrorCode::kUnsupported, "a virtual dataset with numbered sources and one endless block");
        for (std::uint64_t i = 0;; ++i) {
            Mapping one = mapping;
            one.file = numbered(mapping.file, i);
            one.dataset = numbered(mapping.dataset, i);
            if (find(one.file, one.dataset) == nullptr) return;
            if (i >= kMaxNumberedSources)
                throw_error(ErrorCode::kRefused, "a virtual dataset of more than {} sources", kMaxNumberedSources);
            file_.count_mappings(1);
            const std::uint64_t start = slab.start + checked_product(i, slab.stride, "virtual dataset");
            one.target.slabs[dimension] = {start, 1, 1, slab.block};
            result.push_back(std::move(one));
        }
    }

    void settle_end(Mapping& mapping, std::size_t dimension) {
        const auto from = unlimited_dimension(mapping.source);
        if (!from) throw_error(ErrorCode::kUnsupported, "a virtual dataset without an end, its source with one");
        const Source* source = find(mapping.file, mapping.dataset);
        std::uint64_t slices = 0;
        Selection::Slab& slab = mapping.source.slabs[*from];
        if (source != nullptr) {
            require(source->dataset.space.dims.size() == mapping.source.rank, "source '{}' has {} dimensions",
                    mapping.dataset, source->dataset.space.dims.size());
            slices = slices_within(slab, source->dataset.space.dims[*from]);
        }
        slab = limited(slab, slices);
        mapping.target.slabs[dimension] = limited(mapping.target.slabs[dimension], slices);
    }

    const H5File& file_;
    Trail trail_;
    std::map<std::pair<std::string, std::string>, std::optional<Source>> found_;
};

class VirtualBlob final : public Blob {
public:
    struct Part {
        Runs target;
        Runs source;
        BlobPtr blob;
    };
    VirtualBlob(const Dataset& dataset, std::vector<Part> parts)
        : size_bytes_(dataset.size_bytes),
          element_bytes_(dataset.type->size_bytes),
          fill_(dataset.fill),
          parts_(std::move(parts)) {}

    std::uint64_t size_bytes() const noexcept override { return size_bytes_; }

    void read(std::uint64_t offset_bytes, std::span<std::byte> out) const override {
        require(offset_bytes <= size_bytes_ && out.size() <= size_bytes_ - offset_bytes,
                "{} bytes wanted at {}, but there are only {}", out.size(), offset_bytes, size_bytes_);
        if (out.empty()) return;
        fill_run(out, fill_, offset_bytes);
        for (const Part& part : parts_) copy(part, offset_bytes, out);  // of parts that overlap the last one counts
    }

private:
    void copy(const Part& part, std::uint64_t offset_bytes, std::span<std::byte> out) const {
        const std::uint64_t begin = offset_bytes / element_bytes_;
        const std::uint64_t end = (offset_bytes + out.size() + element_bytes_ - 1) / element_bytes_;
        for (std::uint64_t i = part.target.run_behind(begin); i < part.target.run_count(); ++i) {
            const Runs::Run run = part.target.run(i);
            if (run.first >= end) return;
            std::uint64_t element = std::max(run.first, begin);
            const std::uint64_t last = std::min(run.first + run.length, end);
            while (element < last) {
                const std::uint64_t number = run.number + (element - run.first);
                const Runs::Run from = part.source.run(part.source.run_of(number));
                const std::uint64_t skipped = number - from.number;
                const std::uint64_t count = std::min(last - element, from.length - skipped);
                copy_elements(*part.blob, from.first + skipped, element, count, offset_bytes, out);
                element += count;
            }
        }
    }

    void copy_elements(const Blob& source, std::uint64_t from, std::uint64_t to, std::uint64_t count,
                       std::uint64_t offset_bytes, std::span<std::byte> out) const {
        const std::uint64_t begin = std::max(to * element_bytes_, offset_bytes);
        const std::uint64_t end = std::min((to + count) * element_bytes_, offset_bytes + out.size());
        const std::uint64_t at = from * element_bytes_ + (begin - to * element_bytes_);
        source.read(at,
                    out.subspan(static_cast<std::size_t>(begin - offset_bytes), static_cast<std::size_t>(end - begin)));
    }

    std::uint64_t size_bytes_;
    std::uint64_t element_bytes_;
    std::string fill_;
    std::vector<Part> parts_;
};

bool points_into_file(const Datatype& type) {
    const auto points = [](const DatatypePtr& part) { return part && points_into_file(*part); };
    return type.has_heap_references() || type.cls == TypeClass::kReference || points(type.base) ||
           std::any_of(type.members.begin(), type.members.end(),
                       [&](const CompoundMember& member) { return points(member.type); });
}

void check_type(const Dataset& dataset, const Source& source, const std::string& name) {
    const auto due = encode_type(*dataset.type);
    const auto found = encode_type(*source.dataset.type);
    if (!due || !found || due->message != found->message)
        throw_error(ErrorCode::kUnsupported, "its source '{}' has elements of another type", name);
    if (source.holder && points_into_file(*dataset.type))
        throw_error(ErrorCode::kUnsupported, "its source '{}' in another file has elements that point into that file",
                    name);
}

BlobPtr SourceFinder::make(const H5File& file, const Dataset& dataset, Trail trail) {
    SourceFinder finder(file, std::move(trail));
    std::vector<VirtualBlob::Part> parts;
    for (const Mapping& mapping : finder.settled(read_mappings(file, dataset.layout))) {
        Source* source = finder.find(mapping.file, mapping.dataset);
        if (source == nullptr) {
            file.warn(fmt::format("source '{}' of a virtual dataset is not there: its fill value stands for it",
                                  mapping.file == "." ? mapping.dataset : mapping.file + ":" + mapping.dataset));
            continue;
        }
        check_type(dataset, *source, mapping.dataset);
        Runs target(mapping.target, dataset.space.dims);
        Runs from(mapping.source, source->dataset.space.dims);
        require(target.element_count() == from.element_count(),
                "virtual dataset: {} elements of '{}' are to stand for {}", from.element_count(), mapping.dataset,
                target.element_count());
        if (target.element_count() == 0) continue;
        parts.push_back({std::move(target), std::move(from), finder.blob(*source, mapping.dataset)});
    }
    return std::make_shared<VirtualBlob>(dataset, std::move(parts));
}

}  // namespace

void update_virtual_extent(const H5File& file, Dataset& dataset) {
    std::vector<Mapping> mappings = read_mappings(file, dataset.layout);
    std::vector<std::optional<std::uint64_t>> ends(dataset.space.dims.size());
    std::vector<std::uint64_t> least(dataset.space.dims.size());
    std::vector<Mapping> open;
    for (Mapping& mapping : mappings) {
        if (mapping.target.rank != 0 && mapping.target.rank != ends.size()) return;
        const auto bounds = mapping.target.bounds();
        for (std::size_t i = 0; i < bounds.size(); ++i) {
            if (bounds[i].second != Selection::kUnlimited) least[i] = std::max(least[i], bounds[i].second + 1);
        }
        if (const auto dimension = unlimited_dimension(mapping.target)) {
            ends[*dimension] = ends[*dimension].value_or(0);
            open.push_back(std::move(mapping));
        }
    }
    if (open.empty()) return;
    SourceFinder finder(file, {});
    for (const Mapping& mapping : open) {
        const auto dimension = unlimited_dimension(mapping.target);
        for (const Mapping& settled : finder.settled({mapping}))
            ends[*dimension] = std::max(*ends[*dimension], end_of(settled.target.slabs[*dimension]));
    }
    Dataspace& space = dataset.space;
    space.element_count = 1;
    for (std::size_t i = 0; i < ends.size(); ++i) {
        if (ends[i]) space.dims[i] = std::min(std::max(*ends[i], least[i]), space.max_dims[i]);
        space.element_count = checked_product(space.element_count, space.dims[i], "dataspace");
    }
    dataset.size_bytes = checked_product(space.element_count, dataset.type->size_bytes, "dataset");
}

BlobPtr virtual_blob(const H5File& file, const Dataset& dataset) {
    return SourceFinder::make(file, dataset, {{dataset.layout.address, dataset.layout.virtual_index}});
}

BlobPtr external_blob(const H5File& file, const Dataset& dataset) {
    const Widths widths = file.image().widths();
    Cursor cursor(dataset.layout.external, widths, "external files");
    cursor.version(1);
    cursor.skip(3);
    cursor.u16();  // room for so many
    const unsigned count = cursor.u16();
    const std::string names = read_local_heap(file.image(), cursor.address());
    std::vector<BlobPtr> pieces;
    std::uint64_t due = dataset.size_bytes;
    for (unsigned i = 0; i < count; ++i) {
        const std::string name(heap_name(names, cursor.length(), "name of an external file"));
        const std::uint64_t offset = cursor.length();
        const std::uint64_t size = std::min(due, cursor.length_or_unlimited());
        const BlobPtr whole = file.sibling_bytes(name, "data");
        const std::uint64_t begin = std::min(offset, whole->size_bytes());
        const std::uint64_t there = std::min(size, whole->size_bytes() - begin);
        if (there > 0) pieces.push_back(slice_blob(whole, begin, there));
        if (size > there) pieces.push_back(zero_blob(size - there));
        due -= size;
    }
    require(due == 0, "external files have {} bytes less than the dataset", due);
    return joined_blob(std::move(pieces));
}

}  // namespace ckpt::h5
