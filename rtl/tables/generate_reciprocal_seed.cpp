// Writes the reciprocal's seed table as a SystemVerilog module, from the one
// definition in model/numerics. Arguments: the module's name; its file.
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "model/numerics/reciprocal.h"

int main(int argc, char* argv[]) {
  if (argc != 3) {
    std::cerr << "usage: generate_reciprocal_seed MODULE FILE\n";
    return EXIT_FAILURE;
  }
  std::ofstream file(argv[2]);
  const auto table = quadrille::model::make_reciprocal_table();
  const int index_bits = quadrille::model::kReciprocalIndexBits;
  const int seed_bits = quadrille::model::kReciprocalSeedBits;
  file << "// Generated from model/numerics/reciprocal.h. Seed of 1/x for x in [1, 2), by the\n"
       << "// leading " << index_bits << " fraction bits of x, in " << seed_bits
       << " fraction bits. Combinational.\n"
       << "module " << argv[1] << " (\n"
       << "  input  logic [" << index_bits - 1 << ":0] index_i,\n"
       << "  output logic [" << seed_bits - 1 << ":0] seed_o\n"
       << ");\n\n"
       << "  always_comb begin\n"
       << "    unique case (index_i)\n";
  for (std::size_t i = 0; i < table.size(); ++i) {
    file << "      " << index_bits << "'d" << i << ": seed_o = " << seed_bits << "'d" << table[i]
         << ";\n";
  }
  file << "    endcase\n"
       << "  end\n\n"
       << "endmodule\n";
  return file.good() ? EXIT_SUCCESS : EXIT_FAILURE;
}
