// Equality of integer tensors, and the first place where it ends.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "app/networks/result.h"

namespace quadrille::app {

/// How many codes of `expected` a comparison with `found` is evidence of: those
/// of the tensors that both have and that neither passes through.
std::size_t compared_values(const OperatorResult& expected, const OperatorResult& found);

/// "tensor 'out_q' [3,5]: fixed -12, systemc -11", or nothing when all integer
/// tensors of both are equal. A tensor that only one has is a difference, and
/// so is a comparison of nothing.
std::optional<std::string> first_difference(const std::string& expected_name,
                                            const OperatorResult& expected,
                                            const std::string& found_name,
                                            const OperatorResult& found);

}  // namespace quadrille::app
