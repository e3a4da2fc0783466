// A tensor of a graph: a matrix with a name, a role and an integer format.
#pragma once

#include <cstdint>
#include <string>

namespace quadrille::model {

/// Where a tensor's numbers come from, and who wants them.
enum class Role {
  kInput,   ///< Given with the run.
  kWeight,  ///< A trained constant, or a table made from one.
  kState,   ///< Kept from one run to the next.
  kValue,   ///< Made by one node, used by others.
  kOutput,  ///< Made by a node, wanted by the user.
};

/// How the integer levels store an element. Codes are signed; the format of a
/// node's output decides what happens behind its sums: codes are requantised
/// by the node's factor, sums stay as they are.
enum class Format { kCodes8, kCodes16, kSums32, kSums64 };

constexpr int bytes_of(Format format) { return 1 << static_cast<int>(format); }

/// rows x columns elements, row-major. Batches and heads are rows or columns:
/// the operators say how (Heads).
struct Tensor {
  std::string name;  ///< Unique in its graph; a weight's is its checkpoint's.
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  Role role = Role::kValue;
  Format format = Format::kCodes8;

  std::int64_t elements() const { return rows * columns; }
  std::int64_t row_bytes() const { return columns * bytes_of(format); }
};

}  // namespace quadrille::model
