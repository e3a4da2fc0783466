#include "model/graph/bytes.h"

namespace quadrille::model {
namespace {

template <typename Code>
TensorBytes packed(const std::vector<Code>& codes, Format format) {
  const int width = bytes_of(format);
  TensorBytes bytes(codes.size() * static_cast<std::size_t>(width));
  std::uint8_t* to = bytes.data();
  for (const Code code : codes) {
    const auto value = static_cast<std::uint64_t>(code);
    for (int byte = 0; byte < width; ++byte) *to++ = static_cast<std::uint8_t>(value >> (8 * byte));
  }
  return bytes;
}

template <typename Code>
std::vector<Code> unpacked(const TensorBytes& bytes, Format format) {
  const int width = bytes_of(format);
  std::vector<Code> codes(bytes.size() / static_cast<std::size_t>(width));
  const std::uint8_t* from = bytes.data();
  const int unused = 64 - 8 * width;
  for (Code& code : codes) {
    std::uint64_t value = 0;
    for (int byte = 0; byte < width; ++byte) value |= std::uint64_t{*from++} << (8 * byte);
    code = static_cast<Code>(static_cast<std::int64_t>(value << unused) >> unused);
  }
  return codes;
}

}  // namespace

TensorBytes pack(const std::vector<std::int32_t>& codes, Format format) {
  return packed(codes, format);
}

TensorBytes pack(const std::vector<std::int64_t>& codes, Format format) {
  return packed(codes, format);
}

std::vector<std::int32_t> unpack32(const TensorBytes& bytes, Format format) {
  return unpacked<std::int32_t>(bytes, format);
}

std::vector<std::int64_t> unpack64(const TensorBytes& bytes, Format format) {
  return unpacked<std::int64_t>(bytes, format);
}

}  // namespace quadrille::model
