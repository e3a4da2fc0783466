// `make bench`: the project's speed as ratios, measured in one run.
#include <fmt/format.h>

#include <systemc>

#include "testbench/bench/onednn_baseline.h"

int sc_main(int, char*[]) {
  using namespace quadrille::bench;
  const double baseline = onednn_seconds(attention_layer_products(128, 768, 12), 30);
  fmt::print("oneDNN ({}): {:.3f} ms for the BERT-base attention layer's int8 products\n",
             onednn_instruction_set(), 1e3 * baseline);
  return 0;
}
