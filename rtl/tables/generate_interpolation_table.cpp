// Writes an interpolation table as a SystemVerilog module, from the one
// definition in model/numerics. Arguments: the module's name, which ends in
// `power_table` or `logarithm_table` and so picks the table; its file.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

#include "model/numerics/logarithm.h"

namespace {

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

}  // namespace

int main(int argc, char* argv[]) {
  using quadrille::model::InterpolationTable;
  const std::string name = argc == 3 ? argv[1] : "";
  const bool power = ends_with(name, "power_table");
  if (!power && !ends_with(name, "logarithm_table")) {
    std::cerr << "usage: generate_interpolation_table [..]power_table|[..]logarithm_table FILE\n";
    return EXIT_FAILURE;
  }
  const InterpolationTable table =
      power ? quadrille::model::make_power_table() : quadrille::model::make_logarithm_table();
  // Of a power's value, in [1, 2), the bits below the one.
  const int value_bits = power ? 17 : 16;
  const int step_bits = power ? 10 : 9;
  std::ofstream file(argv[2]);
  file << "// Generated from model/numerics/logarithm.h. "
       << (power ? "2^(index/256) - 1 in 17" : "log2(1 + index/256) in 16") << " fraction bits,\n"
       << "// and the growth to the next entry. Combinational.\n"
       << "module " << name << " (\n"
       << "  input  logic [7:0] index_i,\n"
       << "  output logic [" << value_bits - 1 << ":0] value_o,\n"
       << "  output logic [" << step_bits - 1 << ":0] step_o\n"
       << ");\n\n"
       << "  always_comb begin\n"
       << "    unique case (index_i)\n";
  for (std::size_t i = 0; i < table.size(); ++i) {
    file << "      8'd" << i << ": {value_o, step_o} = {" << value_bits << "'d"
         << (table[i].value & ((1U << value_bits) - 1)) << ", " << step_bits << "'d"
         << table[i].step << "};\n";
  }
  file << "    endcase\n"
       << "  end\n\n"
       << "endmodule\n";
  return file.good() ? EXIT_SUCCESS : EXIT_FAILURE;
}
