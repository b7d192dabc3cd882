// Datatype messages, in the versions that every libhdf5 reads. Facts: hdf5.md, 5 and 15.1.
#include "formats/shared/h5/write.hpp"
#include "formats/shared/h5/write_bytes.hpp"
#include "libckpt/error.hpp"

namespace ckpt::h5 {
namespace {

enum ClassByte : unsigned {  // version in the high bits, class in the low ones
    kInteger1 = 0x10,
    kFloat1 = 0x11,
    kCompound3 = 0x36,
    kEnum3 = 0x38,
    kVlen1 = 0x19,
};
constexpr unsigned kSigned = 8;
constexpr unsigned kImpliedLeadingBit = 0x20;
constexpr unsigned kVlenText = 1;
constexpr unsigned kVlenUtf8 = 0x100;

std::string head(unsigned class_byte, unsigned flags, std::uint32_t element_bytes) {
    std::string message;
    put(message, 1, class_byte);
    put(message, 3, flags);
    put(message, 4, element_bytes);
    return message;
}

WriteType float_type(unsigned width_bytes, unsigned exponent_bits, unsigned mantissa_bits, std::uint32_t bias) {
    const unsigned bits = 8 * width_bytes;
    WriteType type{head(kFloat1, kImpliedLeadingBit | (bits - 1) << 8, width_bytes), width_bytes};
    put(type.message, 2, 0);
    put(type.message, 2, bits);
    put(type.message, 1, mantissa_bits);  // where the exponent begins
    put(type.message, 1, exponent_bits);
    put(type.message, 1, 0);
    put(type.message, 1, mantissa_bits);
    put(type.message, 4, bias);
    return type;
}

}  // namespace

WriteType integer_type(unsigned width_bytes, bool is_signed) {
    WriteType type{head(kInteger1, is_signed ? kSigned : 0, width_bytes), width_bytes};
    put(type.message, 2, 0);
    put(type.message, 2, std::uint64_t{8} * width_bytes);
    return type;
}

WriteType ieee_type(unsigned width_bytes) {
    switch (width_bytes) {
        case 2:
            return float_type(2, 5, 10, 15);
        case 4:
            return float_type(4, 8, 23, 127);
        case 8:
            return float_type(8, 11, 52, 1023);
        default:
            throw_error(ErrorCode::kInternal, "there is no IEEE float of {} bytes", width_bytes);
    }
}

WriteType bfloat16_type() {
    return float_type(2, 8, 7, 127);
}

WriteType bool_type() {
    WriteType type{head(kEnum3, 2, 1), 1};
    type.message += integer_type(1, true).message;
    type.message += std::string_view("FALSE\0TRUE\0\0\1", 13);
    return type;
}

WriteType complex_type(const WriteType& part) {
    WriteType type{head(kCompound3, 2, 2 * part.element_bytes), 2 * part.element_bytes};
    type.message += std::string_view("r\0\0", 3);
    type.message += part.message;
    type.message += std::string_view("i\0", 2);
    put(type.message, 1, part.element_bytes);
    type.message += part.message;
    return type;
}

WriteType text_type() {
    WriteType type{head(kVlen1, kVlenText | kVlenUtf8, kHeapReferenceBytes), kHeapReferenceBytes};
    type.message += integer_type(1, false).message;
    return type;
}

WriteData text_data(std::string text) {
    return {text_type(), scalar_space(), "", {std::move(text)}, {}, {}};
}

WriteData texts_data(std::vector<std::string> texts) {
    const std::uint64_t count = texts.size();
    return {text_type(), simple_space({count}), "", std::move(texts), {}, {}};
}

}  // namespace ckpt::h5
