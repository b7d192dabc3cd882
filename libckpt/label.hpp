// A text that is mostly absent, and the same for many where it is there: class names, locations, layouts of tensors.
#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace ckpt {

/// An immutable text in 8 bytes: nothing at all where it is empty, else shared by its copies and by labels that are
/// made of the same text one after another. Stands for a `const std::string&` wherever one is wanted. Copies may be
/// used by several threads.
class Label {
public:
    Label() noexcept = default;
    Label(std::string_view text);
    Label(const std::string& text) : Label(std::string_view(text)) {}
    Label(const char* text) : Label(std::string_view(text)) {}
    Label(const Label& other) noexcept : shared_(other.shared_) {
        if (shared_ != nullptr) shared_->owners.fetch_add(1, std::memory_order_relaxed);
    }
    Label(Label&& other) noexcept : shared_(std::exchange(other.shared_, nullptr)) {}
    Label& operator=(Label other) noexcept {
        std::swap(shared_, other.shared_);
        return *this;
    }
    ~Label() {
        if (shared_ != nullptr) release();
    }

    void clear() noexcept { *this = Label(); }
    const std::string& str() const noexcept { return shared_ != nullptr ? shared_->text : empty_text(); }
    operator const std::string&() const noexcept { return str(); }
    operator std::string_view() const noexcept { return str(); }
    bool empty() const noexcept { return shared_ == nullptr; }
    std::size_t size() const noexcept { return str().size(); }
    bool starts_with(std::string_view text) const noexcept { return str().starts_with(text); }
    bool ends_with(std::string_view text) const noexcept { return str().ends_with(text); }
    std::size_t find(std::string_view text, std::size_t from = 0) const noexcept { return str().find(text, from); }
    std::size_t rfind(std::string_view text) const noexcept { return str().rfind(text); }
    std::string substr(std::size_t from, std::size_t size = std::string::npos) const {
        return str().substr(from, size);
    }

    friend bool operator==(const Label& a, const Label& b) noexcept {
        return a.shared_ == b.shared_ || a.str() == b.str();
    }
    friend bool operator==(const Label& a, std::string_view b) noexcept { return a.str() == b; }
    friend bool operator==(const Label& a, const std::string& b) noexcept { return a.str() == b; }
    friend bool operator==(const Label& a, const char* b) noexcept { return a.str() == b; }
    friend std::string operator+(const Label& a, std::string_view b) { return a.str() + std::string(b); }
    friend std::string operator+(std::string a, const Label& b) { return std::move(a) += b.str(); }

private:
    struct Shared {
        std::atomic<std::size_t> owners{1};
        std::string text;
    };
    static const std::string& empty_text() noexcept;
    void release() noexcept {
        if (shared_->owners.fetch_sub(1, std::memory_order_acq_rel) == 1) delete shared_;
    }
    Shared* shared_ = nullptr;
};

}  // namespace ckpt

template <>
struct fmt::formatter<ckpt::Label> : fmt::formatter<std::string_view> {
    template <typename Context>
    auto format(const ckpt::Label& label, Context& context) const {
        return fmt::formatter<std::string_view>::format(label.str(), context);
    }
};
