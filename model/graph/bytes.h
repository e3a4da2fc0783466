// Integer tensors as they lie in memory: row-major, each element little endian
// in its format. This is how tensors travel from quantisation to the chip's DRAM
// and back.
#pragma once

#include <cstdint>
#include <vector>

#include "model/graph/tensor.h"

namespace quadrille::model {

using TensorBytes = std::vector<std::uint8_t>;
/// By TensorId; empty: the tensor is not there.
using ByteTensors = std::vector<TensorBytes>;

/// The caller guarantees that the codes fit the format.
TensorBytes pack(const std::vector<std::int32_t>& codes, Format format);
TensorBytes pack(const std::vector<std::int64_t>& codes, Format format);

/// Not of kSums64.
std::vector<std::int32_t> unpack32(const TensorBytes& bytes, Format format);
std::vector<std::int64_t> unpack64(const TensorBytes& bytes, Format format);

}  // namespace quadrille::model
