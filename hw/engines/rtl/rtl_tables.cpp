#include "hw/engines/rtl/rtl_tables.h"

#include <fmt/format.h>

#include <functional>

#include "model/numerics/exp2.h"
#include "model/numerics/logarithm.h"
#include "model/numerics/reciprocal.h"

namespace quadrille::hw {
namespace {

/// A combinational module: index_i of `index_bits`, more `ports`, `entries` cases.
std::string table_module(const std::string& comment, const std::string& module, int index_bits,
                         const std::string& ports, std::size_t entries,
                         const std::function<std::string(std::size_t)>& assignment) {
  std::string text = fmt::format(
      "// {}\nmodule {} (\n  input  logic [{}:0] index_i,\n{});\n\n  always_comb begin\n"
      "    unique case (index_i)\n",
      comment, module, index_bits - 1, ports);
  for (std::size_t i = 0; i < entries; ++i)
    text += fmt::format("      {}'d{}: {};\n", index_bits, i, assignment(i));
  return text + "    endcase\n  end\n\nendmodule\n";
}

/// Of an entry's value the low `value_bits`, and its step.
std::string interpolation_module(const std::string& comment, const std::string& module,
                                 const model::InterpolationTable& table, int value_bits,
                                 int step_bits) {
  const std::string ports =
      fmt::format("  output logic [{}:0] value_o,\n  output logic [{}:0] step_o\n", value_bits - 1,
                  step_bits - 1);
  return table_module(comment, module, 8, ports, table.size(), [&](std::size_t i) {
    return fmt::format("{{value_o, step_o}} = {{{}'d{}, {}'d{}}}", value_bits,
                       table[i].value & ((1U << value_bits) - 1), step_bits, table[i].step);
  });
}

}  // namespace

std::string reciprocal_seed_module(const std::string& module) {
  const auto table = model::make_reciprocal_table();
  return table_module(
      fmt::format(
          "Generated from model/numerics/reciprocal.h. Seed of 1/x for x in [1, 2), by the\n"
          "// leading {} fraction bits of x, in {} fraction bits. Combinational.",
          model::kReciprocalIndexBits, model::kReciprocalSeedBits),
      module, model::kReciprocalIndexBits,
      fmt::format("  output logic [{}:0] seed_o\n", model::kReciprocalSeedBits - 1), table.size(),
      [&](std::size_t i) {
        return fmt::format("seed_o = {}'d{}", model::kReciprocalSeedBits, table[i]);
      });
}

std::string exp2_module(const std::string& module) {
  const auto table = model::make_exp2_table();
  return table_module(
      fmt::format(
          "Generated from model/numerics/exp2.h. 255 * 2^8 * 2^-x for x in [0, 1), by the {}\n"
          "// fraction bits of x. Combinational.",
          model::kExp2FractionBits),
      module, model::kExp2FractionBits, "  output logic [15:0] entry_o\n", table.size(),
      [&](std::size_t i) { return fmt::format("entry_o = 16'd{}", table[i]); });
}

std::string power_module(const std::string& module) {
  return interpolation_module(
      "Generated from model/numerics/logarithm.h. 2^(index/256) - 1 in 17 fraction bits,\n"
      "// and the growth to the next entry. Combinational.",
      module, model::make_power_table(), 17, 10);
}

std::string logarithm_module(const std::string& module) {
  return interpolation_module(
      "Generated from model/numerics/logarithm.h. log2(1 + index/256) in 16 fraction bits,\n"
      "// and the growth to the next entry. Combinational.",
      module, model::make_logarithm_table(), 16, 9);
}

}  // namespace quadrille::hw
