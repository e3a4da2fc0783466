#include "hw/mapper/mapping.h"

#include <algorithm>
#include <cstring>

#include "model/errors.h"

namespace quadrille::hw {
namespace {

/// Calls copy(row in the DRAM, offset in the packed tensor, bytes) for every row of
/// every piece.
template <typename Copy>
void for_each_row(const Bytes& dram, const DramTensor& tensor, Copy copy) {
  const std::int64_t row_bytes = tensor.columns * tensor.element_bytes;
  for (const DramPiece& piece : tensor.pieces) {
    const std::int64_t length = piece.columns * tensor.element_bytes;
    std::int64_t offset = piece.first_row * row_bytes + piece.first_column * tensor.element_bytes;
    std::uint64_t address = piece.address;
    for (std::int64_t row = 0; row < piece.rows; ++row) {
      copy(dram.at(address, static_cast<std::uint64_t>(length)), static_cast<std::size_t>(offset),
           static_cast<std::size_t>(length));
      address += static_cast<std::uint64_t>(piece.pitch_bytes);
      offset += row_bytes;
    }
  }
}

}  // namespace

void write_tensor(const Bytes& dram, const DramTensor& tensor,
                  const std::vector<std::uint8_t>& bytes) {
  if (static_cast<std::int64_t>(bytes.size()) != tensor.bytes()) {
    throw InvariantError("tensor " + tensor.name + ": " + std::to_string(bytes.size()) +
                         " bytes, the mapping has room for " + std::to_string(tensor.bytes()));
  }
  for_each_row(dram, tensor, [&](std::uint8_t* row, std::size_t offset, std::size_t length) {
    std::memcpy(row, bytes.data() + offset, length);
  });
}

std::vector<std::uint8_t> read_tensor(const Bytes& dram, const DramTensor& tensor) {
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(tensor.bytes()));
  for_each_row(dram, tensor, [&](const std::uint8_t* row, std::size_t offset, std::size_t length) {
    std::memcpy(bytes.data() + offset, row, length);
  });
  return bytes;
}

const DramTensor& Mapping::tensor(const std::string& name) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const DramTensor& item) { return item.name == name; });
  if (found == tensors.end()) throw InvariantError("mapping: no tensor named " + name);
  return *found;
}

}  // namespace quadrille::hw
