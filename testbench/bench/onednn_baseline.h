// The yardstick of the speed goals: the time oneDNN needs, on one thread, for
// a layer's int8 products with packed weights.
#pragma once

#include <string>
#include <vector>

namespace quadrille::bench {

struct Product {
  int rows;     ///< M
  int inner;    ///< K
  int columns;  ///< N
  int times;    ///< The layer computes it so often.
};

/// The products of one multi-head attention layer: four projections, and per
/// head Q K^T and A' V.
std::vector<Product> attention_layer_products(int tokens, int width, int heads);

/// Seconds for all of `products` (s8 x s8 -> s32, weights packed beforehand),
/// the smallest of `repeats` runs.
double onednn_seconds(const std::vector<Product>& products, int repeats);

/// Instruction set that oneDNN chose.
std::string onednn_instruction_set();

}  // namespace quadrille::bench
