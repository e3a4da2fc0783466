// The exact int8 product's inner loops, one source for every processor: Google Highway
// compiles it for each instruction set (SSE2 ... AVX-512, NEON) and picks one when the
// program runs. 16-bit multiply-adds of pairs, so nothing saturates: the same bits
// whichever is picked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace quadrille::hw {

/// k x n weights as 16-bit codes in panels of columns: behind each other the pairs
/// (row 2p, row 2p + 1) of a panel's columns, missing rows and columns being zeros.
class PackedWeights {
 public:
  /// `weights`: k rows of n, or n rows of k if `by_columns`.
  void pack(const std::int8_t* weights, int k, int n, bool by_columns);
  bool empty() const { return codes_.empty(); }

  /// out[t, j] = sum_i x[t, i] * weights[i, j] as 32-bit sums that must fit. Pitches in
  /// bytes.
  void multiply(const std::uint8_t* x, std::int64_t x_pitch, bool x_signed, int tokens,
                std::uint8_t* out, std::int64_t out_pitch) const;

 private:
  std::vector<std::int16_t> codes_;
  std::size_t k_ = 0;
  std::size_t n_ = 0;
  std::size_t panel_ = 0;  ///< Columns of a panel: two vectors of 32-bit lanes.
};

/// "AVX2", ...: what runs here.
const char* exact_kernel_instruction_set();

}  // namespace quadrille::hw
