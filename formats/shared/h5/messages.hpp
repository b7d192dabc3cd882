// Messages of object headers that become public values.
#pragma once

#include <string_view>
#include <vector>

#include "formats/shared/h5/h5.hpp"
#include "formats/shared/h5/image.hpp"
#include "formats/shared/h5/object_header.hpp"

namespace ckpt::h5 {

/// Each throws Error (kDamaged) and, where the format has more than this engine, (kUnsupported).
Dataspace read_dataspace(Cursor& cursor);
std::vector<Filter> read_filters(Cursor& cursor);
/// An attribute message, or the object of a dense attribute.
Attribute read_attribute(const Image& image, std::string_view bytes);
/// Everything that describes a dataset.
Dataset read_dataset(const Image& image, const ObjectHeader& header);
/// All links of a group, in order and with bad names set aside.
/// The data of a local heap, which is full of names.
std::string read_local_heap(const Image& image, std::uint64_t address);
std::string_view heap_name(std::string_view heap, std::uint64_t offset, std::string_view what);
LinkList read_links(const Image& image, const ObjectHeader& header, LinkOrder order);
AttributeList read_attributes(const Image& image, const ObjectHeader& header);

}  // namespace ckpt::h5
