// The JSON header of a safetensors file, read in one pass and in time linear in its
// length: a header may name a million tensors.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace quadrille::app {

enum class Dtype { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU64, kU32, kU16, kU8, kBool };

/// "F64", "BF16", "BOOL"...: as the header writes it.
std::string_view dtype_name(Dtype dtype);
/// Bytes of one element.
std::size_t dtype_size(Dtype dtype);
/// True for I*, U* and BOOL.
bool dtype_is_integer(Dtype dtype);

/// Row-major, outermost dimension first. A scalar has no dimension and one
/// element; a zero among the dimensions makes the tensor empty.
using Shape = std::vector<std::int64_t>;

/// "[2,3]"; any negative dimension is written "*".
std::string shape_text(const Shape& shape);
/// Product of the shape; false on overflow. `shape` has no negative entry.
bool multiply_shape(const Shape& shape, std::int64_t* product);

/// The header's key that is no tensor.
inline constexpr const char* kMetadataKey = "__metadata__";

struct TensorInfo {
  Dtype dtype = Dtype::kF64;
  Shape shape;
};

/// A tensor as the header has it, with its bytes counted from the header's end.
struct HeaderTensor {
  TensorInfo info;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

struct SafetensorsHeader {
  std::map<std::string, HeaderTensor> tensors;
  std::map<std::string, std::string> metadata;
};

/// What a header should have been, and where.
struct BadHeader {
  std::string place;
  std::string expectation;
};

/// Reads the header in [begin, end) of a file with so many bytes behind it. BadHeader
/// for what is not JSON (a NUL among the padding included), a key given twice, a
/// tensor whose keys, dtype, shape or offsets are wrong or disagree, and metadata
/// that are not strings. Whether tensors overlap is the caller's question.
SafetensorsHeader parse_safetensors_header(const char* begin, const char* end,
                                           std::uint64_t data_bytes);

}  // namespace quadrille::app
