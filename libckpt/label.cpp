// Labels that are made of the same text one after another share it.
#include "libckpt/label.hpp"

#include <array>

namespace ckpt {

const std::string& Label::empty_text() noexcept {
    static const std::string kEmpty;
    return kEmpty;
}

Label::Label(std::string_view text) {
    if (text.empty()) return;
    // A file names few classes over and over: those that were met last are worth a look.
    thread_local std::array<Label, 4> recent;
    thread_local std::size_t next = 0;
    for (const Label& label : recent) {
        if (label.shared_ == nullptr || label.shared_->text != text) continue;
        shared_ = label.shared_;
        shared_->owners.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    shared_ = new Shared;
    shared_->text = text;
    recent[next] = *this;
    next = (next + 1) % recent.size();
}

}  // namespace ckpt
