// Exact product of 8-bit activations with resident 8-bit weights: what a
// multiply of the CIM bank computes, in one call. Bit-equal on every machine.
#pragma once

#include <cstdint>
#include <vector>

#include "hw/engines/cim/exact_kernel.h"

namespace quadrille::hw {

enum class ProductKernel {
  kPortable,  ///< exact_kernel.h: every processor, 16-bit multiply-adds.
  kOneDnn,    ///< Chosen only where its int8 arithmetic is exact.
};

/// Tells whether oneDNN multiplies int8 exactly on this processor, which takes
/// VNNI or AMX. Without them it adds pairs of products in 16 bits, which
/// saturate.
bool onednn_is_exact();

/// kOneDnn where that is exact, else kPortable.
ProductKernel best_product_kernel();

/// Order of the weights' bytes.
enum class WeightLayout {
  kRows,     ///< k rows of n.
  kColumns,  ///< n rows of k: the transposed matrix.
};

/// k x n signed weights, which the portable kernel packs once, at the first product. oneDNN takes
/// them as they lie, in either layout: with 128 rows of activations that costs 3 to 10 % over its
/// own packed format, while packing would cost a matrix that is written once per layer half a
/// product (signed activations: six products, its reorder is not vectorised).
class ExactProduct {
 public:
  ExactProduct(std::vector<std::int8_t> weights, int k, int n, WeightLayout layout,
               ProductKernel kernel);

  /// out[t, j] = sum_i x[t, i] * weights[i, j] for `tokens` rows of k bytes,
  /// signed or unsigned. Pitches in bytes, the output's a multiple of 4. The
  /// sums must fit 32 bits: k <= kMaxTerms.
  void multiply(const std::uint8_t* x, std::int64_t x_pitch, bool x_signed, int tokens,
                std::uint8_t* out, std::int64_t out_pitch);

  /// Gives the weights' buffer back for reuse.
  std::vector<std::int8_t> release();

  /// Terms of full scale, 255 * -128, that a 32-bit sum holds.
  static constexpr int kMaxTerms = 65793;

 private:
  void multiply_onednn(const std::uint8_t* x, std::int64_t x_pitch, bool x_signed, int tokens,
                       std::uint8_t* out, std::int64_t out_pitch);

  std::vector<std::int8_t> weights_;
  int k_;
  int n_;
  WeightLayout layout_;
  ProductKernel kernel_;
  PackedWeights packed_;  ///< The portable kernel's, made at the first use.
};

}  // namespace quadrille::hw
