// Equality of integer tensors, and where and how far it ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/networks/result.h"

namespace quadrille::app {

/// Codes of one tensor, and what messages call those who made them.
struct NamedCodes {
  const std::string& name;
  const std::vector<std::int64_t>& codes;
};

/// "tensor 'out_q' [3,5]: fixed -12, systemc -11 (17 of 168 differ, most at [2,3]: fixed 7,
/// systemc 90)", or nothing when all codes are equal. Both have the elements of `shape`.
std::optional<std::string> code_difference(const std::string& tensor, const Shape& shape,
                                           const NamedCodes& expected, const NamedCodes& found);

/// Says the same of values that may be `max_abs` apart: "tensor 'out' [3,5]: golden 0.5, fixed
/// 0.75, expected at most 0.125 apart (...)".
std::optional<std::string> value_difference(const std::string& tensor, const Shape& shape,
                                            const std::string& expected_name,
                                            const std::vector<double>& expected,
                                            const std::string& found_name,
                                            const std::vector<double>& found, double max_abs);

/// How many codes of `expected` a comparison with `found` is evidence of: those
/// of the tensors that both have and that neither passes through.
std::size_t compared_values(const OperatorResult& expected, const OperatorResult& found);

/// One line for every integer tensor that differs, as code_difference() has it; none when
/// all are equal. A tensor that only one has is a difference, and so is a comparison of
/// nothing.
std::vector<std::string> code_differences(const std::string& expected_name,
                                          const OperatorResult& expected,
                                          const std::string& found_name,
                                          const OperatorResult& found);

}  // namespace quadrille::app
