// The attributes of one object: ours by name, the user's in order.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/shared/h5/h5.hpp"
#include "libckpt/blob.hpp"

namespace ckpt::hdf5 {

/// The node attribute that holds the user's attribute of a name.
std::string foreign_name(std::string_view name);

class OwnAttributes {
public:
    /// Takes the attributes of an object apart.
    OwnAttributes(const h5::H5File& file, h5::AttributeList list);

    bool has(std::string_view name) const { return find(name) != nullptr; }
    /// Each is nullopt where the attribute is absent, and throws Error (kDamaged) where it is of another type.
    std::optional<std::string> text(std::string_view name) const;
    std::optional<std::int64_t> integer(std::string_view name) const;
    std::optional<std::vector<std::int64_t>> integers(std::string_view name) const;
    /// Absent means no.
    bool flag(std::string_view name) const;

    const std::vector<h5::Attribute>& foreign() const noexcept { return foreign_; }

private:
    const h5::Attribute* find(std::string_view name) const;
    std::vector<std::int64_t> numbers(const h5::Attribute& attribute) const;

    const h5::H5File* file_;
    std::vector<h5::Attribute> own_;
    std::vector<h5::Attribute> foreign_;
};

}  // namespace ckpt::hdf5
