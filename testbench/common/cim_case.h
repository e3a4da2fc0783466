// Random matrices for the CIM bank: a write, a multiply by it, and the product
// of the codes' low bits as a plain loop gives it.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "hw/engines/cim/cim_bank.h"
#include "hw/memory/bytes.h"

namespace quadrille::testbench {

struct CimCase {
  hw::CimConfig config;
  hw::CimWrite write;
  hw::CimMultiply multiply;
  std::vector<std::uint8_t> before;
  std::vector<std::uint8_t> after;  ///< The memory with the product.
  std::int64_t saturated = 0;       ///< Results that were clamped.

  std::string describe() const;
};

enum class CimCodes {
  kUniform,
  kExtremes,  ///< 0x80 and 0x7F, both operands.
  kLowest,    ///< 0x80 as weights, 0xFF or 0x80 as inputs: the largest sums.
};

struct CimShape {
  int rows = 1;     ///< k
  int columns = 1;  ///< n
  int tokens = 1;
};

/// A region for `shape` at `first_macro`; everything else is drawn.
CimCase make_cim_case(std::mt19937_64& random, const hw::CimConfig& config, const CimShape& shape,
                      int first_macro, CimCodes codes);

/// A shape of at most `max_tiles` macros somewhere in [first_macro, last_macro]:
/// often whole tiles, single rows or columns.
CimCase random_cim_case(std::mt19937_64& random, const hw::CimConfig& config, int max_tiles,
                        int first_macro, int last_macro);

}  // namespace quadrille::testbench
