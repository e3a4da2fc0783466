// Lookup tables of model/numerics as SystemVerilog modules: the same entries, so that
// no table is written twice. Each function takes the module's name and returns its text.
#pragma once

#include <string>

namespace quadrille::hw {

/// Seeds of 1/x (model/numerics/reciprocal.h): index_i[6:0] to seed_o.
std::string reciprocal_seed_module(const std::string& module);
/// 255 * 2^8 * 2^-x (model/numerics/exp2.h): index_i to entry_o[15:0].
std::string exp2_module(const std::string& module);
/// 2^(index/256) - 1 and its steps (model/numerics/logarithm.h).
std::string power_module(const std::string& module);
/// log2(1 + index/256) and its steps (model/numerics/logarithm.h).
std::string logarithm_module(const std::string& module);

}  // namespace quadrille::hw
