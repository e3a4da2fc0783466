// Random sequences for the linear-attention engine: the commands into which a
// sequence is cut, their operands in a scratchpad, and what the specification
// says they leave there.
#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "hw/engines/linear/linear_operations.h"
#include "hw/memory/bytes.h"
#include "model/attention/linear.h"

namespace quadrille::testbench {

struct LinearCase {
  hw::LinearConfig config;
  std::vector<hw::LinearAttend> commands;
  std::vector<std::uint8_t> before;
  std::vector<std::uint8_t> after;
  std::int64_t saturated = 0;
  std::int64_t uniform_rows = 0;
  std::string description;
};

/// Codes of a sequence of kernel attention, and phi of Q, K and RP.
struct LinearOperands {
  std::vector<std::int32_t> q;
  std::vector<std::int32_t> k;
  std::vector<std::int32_t> v;
  std::vector<std::int32_t> rp;
  std::array<model::PhiTable, 3> tables{};
  bool sums_wanted = false;  ///< They are wanted for certain; else chance decides.
};

/// Phi by lookup: expected by linear_fixed. Commands hold up to `most` tokens.
LinearCase make_linear_case(std::mt19937_64& random, const hw::LinearConfig& config,
                            const model::LinearShape& shape, int most,
                            const LinearOperands& operands);
/// Makes a case with random operands; `largest`: phi is 255 and V -128
/// everywhere, and the sums are wanted.
LinearCase make_linear_case(std::mt19937_64& random, const hw::LinearConfig& config,
                            const model::LinearShape& shape, int most, bool largest = false);
/// Makes a case of any small shape, on any small engine or on a given one.
LinearCase random_linear_case(std::mt19937_64& random);
LinearCase random_linear_case(std::mt19937_64& random, const hw::LinearConfig& config);
/// DAMF's collapsed form: expected by damf_fixed.
LinearCase random_damf_linear_case(std::mt19937_64& random);
LinearCase random_damf_linear_case(std::mt19937_64& random, const hw::LinearConfig& config);

/// Cuts the sequence that `whole` describes (its counts are those of the whole,
/// its addresses those of the first rows) into commands of at most `most` tokens,
/// drawn by `random`, or all of `most` without one.
std::vector<hw::LinearAttend> cut_linear(const hw::LinearAttend& whole, int queries, int most,
                                         std::mt19937_64* random);

}  // namespace quadrille::testbench
