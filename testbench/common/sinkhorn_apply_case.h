// SinkhornApply commands with codes, scalings and values drawn at once (not found
// by a scale before), so that every clamp and width is reached, and what the
// specification says they leave.
#pragma once

#include <random>
#include <string>

#include "testbench/common/sinkhorn_case.h"

namespace quadrille::testbench {

struct ApplyCase {
  hw::SinkhornApply operation;
  std::vector<std::uint8_t> before;
  SinkhornExpected expected;
  std::string description;
};

/// The kinds of elements and of V that are drawn.
enum class ApplyCodes { kUniform, kSmall, kLargest, kLowest };

/// Shape, source, widths and wishes are the operation's; its places are set here.
ApplyCase make_apply_case(std::mt19937_64& random, const hw::SinkhornApply& operation,
                          ApplyCodes kind);
/// Any command that fits `config`, mostly small.
ApplyCase random_apply_case(std::mt19937_64& random, const hw::SinkhornConfig& config);

}  // namespace quadrille::testbench
