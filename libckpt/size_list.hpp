// The sizes or strides of a tensor: a vector that holds two numbers in place.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <stdexcept>
#include <vector>

namespace ckpt {

/// Numbers in order, as a std::vector has them and convertible from and to one; up to two need no allocation, as most
/// tensors of a large document have.
class SizeList {
public:
    using value_type = std::int64_t;
    using size_type = std::size_t;
    using iterator = std::int64_t*;
    using const_iterator = const std::int64_t*;

    SizeList() noexcept = default;
    explicit SizeList(std::size_t count, std::int64_t value = 0) { assign(count, value); }
    SizeList(std::initializer_list<std::int64_t> numbers) { assign(numbers.begin(), numbers.end()); }
    SizeList(const std::vector<std::int64_t>& numbers) { assign(numbers.begin(), numbers.end()); }
    template <std::input_iterator Iterator>
    SizeList(Iterator first, Iterator last) {
        assign(first, last);
    }
    SizeList(const SizeList& other) { assign(other.begin(), other.end()); }
    SizeList(SizeList&& other) noexcept { take(other); }
    SizeList& operator=(const SizeList& other) {
        if (this != &other) assign(other.begin(), other.end());
        return *this;
    }
    SizeList& operator=(SizeList&& other) noexcept {
        if (this == &other) return *this;
        drop();
        take(other);
        return *this;
    }
    ~SizeList() { drop(); }

    operator std::vector<std::int64_t>() const { return {begin(), end()}; }

    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }
    std::int64_t* data() noexcept { return is_inline() ? numbers_.in_place : numbers_.heap; }
    const std::int64_t* data() const noexcept { return is_inline() ? numbers_.in_place : numbers_.heap; }
    iterator begin() noexcept { return data(); }
    iterator end() noexcept { return data() + size_; }
    const_iterator begin() const noexcept { return data(); }
    const_iterator end() const noexcept { return data() + size_; }
    auto rbegin() const noexcept { return std::make_reverse_iterator(end()); }
    auto rend() const noexcept { return std::make_reverse_iterator(begin()); }
    std::int64_t& operator[](std::size_t i) noexcept { return data()[i]; }
    std::int64_t operator[](std::size_t i) const noexcept { return data()[i]; }
    /// Throws std::out_of_range.
    std::int64_t at(std::size_t i) const {
        if (i >= size_) throw std::out_of_range("SizeList::at");
        return data()[i];
    }
    std::int64_t& front() noexcept { return data()[0]; }
    std::int64_t front() const noexcept { return data()[0]; }
    std::int64_t& back() noexcept { return data()[size_ - 1]; }
    std::int64_t back() const noexcept { return data()[size_ - 1]; }

    /// Puts a number before `at`.
    void insert(const_iterator at, std::int64_t number) {
        const std::ptrdiff_t place = at - begin();
        push_back(number);
        std::rotate(begin() + place, end() - 1, end());
    }
    void clear() noexcept { size_ = 0; }
    void reserve(std::size_t count) {
        if (count > capacity_) grow(count);
    }
    void resize(std::size_t count, std::int64_t value = 0) {
        reserve(count);
        if (count > size_) std::fill(data() + size_, data() + count, value);
        size_ = static_cast<std::uint32_t>(count);
    }
    void push_back(std::int64_t number) {
        if (size_ == capacity_) grow(2 * std::size_t{capacity_});
        data()[size_++] = number;
    }
    void assign(std::size_t count, std::int64_t value) {
        clear();
        resize(count, value);
    }
    template <std::input_iterator Iterator>
    void assign(Iterator first, Iterator last) {
        clear();
        if constexpr (std::forward_iterator<Iterator>) reserve(static_cast<std::size_t>(std::distance(first, last)));
        for (; first != last; ++first) push_back(static_cast<std::int64_t>(*first));
    }

    friend bool operator==(const SizeList& a, const SizeList& b) noexcept {
        return std::equal(a.begin(), a.end(), b.begin(), b.end());
    }
    friend auto operator<=>(const SizeList& a, const SizeList& b) noexcept {
        return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end());
    }

private:
    static constexpr std::uint32_t kInPlace = 2;
    bool is_inline() const noexcept { return capacity_ == kInPlace; }
    void drop() noexcept {
        if (!is_inline()) delete[] numbers_.heap;
    }
    void take(SizeList& other) noexcept {
        size_ = other.size_;
        capacity_ = other.capacity_;
        numbers_ = other.numbers_;
        other.size_ = 0;
        other.capacity_ = kInPlace;
    }
    void grow(std::size_t count) {
        auto* numbers = new std::int64_t[count];
        std::copy(begin(), end(), numbers);
        drop();
        numbers_.heap = numbers;
        capacity_ = static_cast<std::uint32_t>(count);
    }

    std::uint32_t size_ = 0;
    std::uint32_t capacity_ = kInPlace;
    union Numbers {
        std::int64_t in_place[kInPlace] = {};
        std::int64_t* heap;
    } numbers_;
};

}  // namespace ckpt
