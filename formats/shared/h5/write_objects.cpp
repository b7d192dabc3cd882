// Collecting the objects of a Writer.
#include <algorithm>

#include "formats/shared/h5/image.hpp"
#include "formats/shared/h5/write.hpp"
#include "formats/shared/h5/write_layout.hpp"

namespace ckpt::h5 {

Writer::ObjectId Writer::add_group() {
    objects_.emplace_back().is_group = true;
    return static_cast<ObjectId>(objects_.size() - 1);
}

Writer::ObjectId Writer::add_dataset(WriteData data) {
    objects_.emplace_back().data = std::move(data);
    return static_cast<ObjectId>(objects_.size() - 1);
}

Writer::ObjectId Writer::add_dataset(WriteType type, WriteSpace space, BlobPtr blob, Codec codec) {
    Object& object = objects_.emplace_back();
    object.data.type = std::move(type);
    object.data.space = std::move(space);
    object.blob = std::move(blob);
    object.codec = object.data.space.kind == WriteSpace::Kind::kSimple ? codec : Codec::kNone;
    return static_cast<ObjectId>(objects_.size() - 1);
}

Writer::ObjectId Writer::add_datatype(WriteType type) {
    Object& object = objects_.emplace_back();
    object.is_datatype = true;
    object.data.type = std::move(type);
    return static_cast<ObjectId>(objects_.size() - 1);
}

bool Writer::set_layout(ObjectId dataset, WriteLayout layout) {
    Object& object = objects_[dataset];
    if (object.data.space.kind != WriteSpace::Kind::kSimple && !layout.chunk.empty()) return false;
    if (!fits_layout(layout, object.data.space.dims, object.data.type.element_bytes)) return false;
    object.layout = std::move(layout);
    return true;
}

std::uint32_t Writer::add_target() {
    targets_.emplace_back();
    return static_cast<std::uint32_t>(targets_.size() - 1);
}

void Writer::link(ObjectId group, std::string name, ObjectId target) {
    objects_[group].links.push_back({std::move(name), std::nullopt, "", target});
    ++objects_[target].hard_links;
}

void Writer::soft_link(ObjectId group, std::string name, std::string target_path) {
    objects_[group].links.push_back({std::move(name), std::move(target_path), "", 0});
}

Writer::Link* Writer::find_link(ObjectId group, std::string_view name) {
    std::vector<Link>& links = objects_[group].links;
    const auto [found, is_new] = names_.try_emplace(group);
    if (is_new || found->second.size() != links.size()) {
        found->second.clear();
        for (std::size_t i = 0; i < links.size(); ++i) found->second.emplace(links[i].name, i);
    }
    const auto link = found->second.find(name);
    return link == found->second.end() ? nullptr : &links[link->second];
}

bool Writer::is_same_scalar(const Object& a, const Object& b) {
    const auto is_scalar = [](const Object& object) {
        return !object.is_group && !object.is_datatype && !object.blob && !object.layout &&
               object.data.space.kind != WriteSpace::Kind::kSimple;
    };
    const auto is_same = [](const WriteData& x, const WriteData& y) {
        return x.type.message == y.type.message && x.space.kind == y.space.kind && x.space.dims == y.space.dims &&
               x.bytes == y.bytes && x.texts == y.texts && x.items.empty() && y.items.empty() && x.references.empty() &&
               y.references.empty();
    };
    return is_scalar(a) && is_scalar(b) && is_same(a.data, b.data) &&
           std::equal(
               a.attributes.begin(), a.attributes.end(), b.attributes.begin(), b.attributes.end(),
               [&](const Attribute& x, const Attribute& y) { return x.name == y.name && is_same(x.data, y.data); });
}

void Writer::leave_out_doubles(ObjectId& root) {
    std::vector<ObjectId> numbers(objects_.size());
    std::vector<Object> kept;
    for (std::size_t i = 0; i < objects_.size(); ++i) {
        numbers[i] = static_cast<ObjectId>(kept.size());
        if (!objects_[i].same_as) kept.push_back(std::move(objects_[i]));
    }
    if (kept.size() == objects_.size()) {
        objects_ = std::move(kept);
        return;
    }
    const auto number = [&](ObjectId id) {
        while (objects_[id].same_as) id = *objects_[id].same_as;
        return numbers[id];
    };
    for (Object& object : kept) {
        for (Link& link : object.links) link.target = number(link.target);
    }
    for (auto& target : targets_) {
        if (target) target = number(*target);
    }
    root = number(root);
    objects_ = std::move(kept);
}

void Writer::soften(ObjectId root, ObjectId group, const std::string& name, std::string target_path) {
    Link* softened = find_link(group, name);
    if (softened == nullptr || softened->soft_target) return;
    ObjectId at = target_path.starts_with('/') ? root : group;
    std::string rest = target_path;  // parts still to go; a soft link's target is put in front
    unsigned hops = 0;
    while (!rest.empty()) {
        const std::string part = rest.substr(0, rest.find('/'));
        rest.erase(0, part.size() + 1);
        if (part.empty() || part == ".") continue;
        const Link* step = find_link(at, part);
        if (step == nullptr || step == softened || !step->file.empty()) return;
        if (!step->soft_target) {
            at = step->target;
            continue;
        }
        if (++hops > kMaxSoftLinkHops) return;
        if (step->soft_target->starts_with('/')) at = root;
        rest = *step->soft_target + "/" + rest;
    }
    Object& own = objects_[softened->target];
    if (at != softened->target) {
        if (own.hard_links != 1 || !is_same_scalar(own, objects_[at])) return;
        own.same_as = at;
    }
    --own.hard_links;
    softened->soft_target = std::move(target_path);
}

void Writer::external_link(ObjectId group, std::string name, std::string file, std::string target_path) {
    objects_[group].links.push_back({std::move(name), std::move(target_path), std::move(file), 0});
}

void Writer::attribute(ObjectId object, std::string name, WriteData data) {
    objects_[object].attributes.push_back({std::move(name), std::move(data)});
}

}  // namespace ckpt::h5
