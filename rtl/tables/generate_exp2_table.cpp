// Writes the table of 2^-x as a SystemVerilog module, from the one definition
// in model/numerics. Arguments: the module's name; its file.
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "model/numerics/exp2.h"

int main(int argc, char* argv[]) {
  if (argc != 3) {
    std::cerr << "usage: generate_exp2_table MODULE FILE\n";
    return EXIT_FAILURE;
  }
  std::ofstream file(argv[2]);
  const auto table = quadrille::model::make_exp2_table();
  const int index_bits = quadrille::model::kExp2FractionBits;
  file << "// Generated from model/numerics/exp2.h. 255 * 2^8 * 2^-x for x in [0, 1), by the "
       << index_bits << "\n"
       << "// fraction bits of x. Combinational.\n"
       << "module " << argv[1] << " (\n"
       << "  input  logic [" << index_bits - 1 << ":0] index_i,\n"
       << "  output logic [15:0] entry_o\n"
       << ");\n\n"
       << "  always_comb begin\n"
       << "    unique case (index_i)\n";
  for (std::size_t i = 0; i < table.size(); ++i)
    file << "      " << index_bits << "'d" << i << ": entry_o = 16'd" << table[i] << ";\n";
  file << "    endcase\n"
       << "  end\n\n"
       << "endmodule\n";
  return file.good() ? EXIT_SUCCESS : EXIT_FAILURE;
}
