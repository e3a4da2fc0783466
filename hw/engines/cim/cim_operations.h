// Commands of the CIM bank: write a matrix into macros, multiply by it.
#pragma once

#include <cstdint>

#include "hw/memory/stream.h"
#include "hw/sequencer/unit.h"
#include "model/numerics/quantise.h"

namespace quadrille::hw {

/// Shape and speed of the CIM bank. A macro is an array of `rows` x `columns`
/// weights; the inputs enter along the rows, the sums leave along the columns.
struct CimConfig {
  int macros = 64;
  int rows = 256;
  int columns = 64;
  int weight_bits = 8;  ///< Bits a cell row of a weight can hold, 1..8.
  int input_bits = 8;   ///< Bits of the widest bit-serial input, 1..8.
  int input_bytes_per_cycle = 128;
  int output_bytes_per_cycle = 128;  ///< Of 32-bit sums; a narrower result takes its part.
  int write_bytes_per_cycle = 64;    ///< One macro row or a part of it per cycle.
  bool write_while_compute = true;   ///< Other macros may be written meanwhile.
};

/// A matrix of k x n weights over row_tiles x column_tiles macros:
/// row_tiles = ceil(k / rows), column_tiles = ceil(n / columns). Macro
/// first_macro + r * column_tiles + c holds row tile r of column tile c.
struct CimRegion {
  int first_macro = 0;
  int row_tiles = 0;
  int column_tiles = 0;
  int macros() const { return row_tiles * column_tiles; }
};

/// Writes a k x n matrix of signed 8-bit codes (one byte each in the
/// scratchpad) row by row. With `transpose` the source is the n x k matrix
/// (the keys of K become columns) and passes a transpose buffer.
struct CimWrite {
  static constexpr Unit kUnit = Unit::kCimWrite;
  std::uint64_t source = 0;
  std::int64_t source_pitch_bytes = 0;
  int rows = 0;     ///< k
  int columns = 0;  ///< n
  bool transpose = false;
  bool dynamic = false;  ///< A run-time operand (K, V), not a trained constant.
  int weight_bits = 8;
  CimRegion region;
};

/// What leaves the bank of a sum.
enum class CimResult { kSums32, kCodes8, kCodes16 };
int result_bytes(CimResult result);

/// What becomes of the sums before they leave: each
///   if `normalise`: x = round_shift(x * R.mantissa, R.shift - fraction_bits)
///                   with its token's reciprocal R, saturated to 32 bits
///   if result is kCodes8 or kCodes16: x = requantise(x, multiplier, 8 or 16)
/// in that order, exactly as the vector unit does it (VectorRequantise). Without either
/// the sums leave as they are, and sooner.
struct CimEpilogue {
  CimResult result = CimResult::kSums32;
  bool normalise = false;
  int fraction_bits = 0;
  std::uint64_t reciprocals = 0;  ///< Words that SoftmaxRows writes, one a token.
  model::Multiplier multiplier;

  bool works() const { return normalise || result != CimResult::kSums32; }
};

/// out[t, 0..n) = sum_k X[t, k] * W[k, n]: tokens x k codes of input_bits bits
/// (one byte each) against the region's weights, through the epilogue. With
/// `causal` (dynamic only) row t uses column j only if j <= first_token + t;
/// the array computes the rest too and it counts as wasted.
struct CimMultiply {
  static constexpr Unit kUnit = Unit::kCimCompute;
  std::uint64_t source = 0;
  std::int64_t source_pitch_bytes = 0;
  std::uint64_t destination = 0;
  std::int64_t destination_pitch_bytes = 0;
  int tokens = 0;
  int rows = 0;     ///< k
  int columns = 0;  ///< n
  int input_bits = 8;
  bool input_signed = true;  ///< Softmax weights are unsigned codes: false.
  bool dynamic = false;
  bool causal_columns = false;  ///< Q K^T: column j useful for j <= first_token + t.
  bool causal_rows = false;     ///< A' V: row (key) j useful for j <= first_token + t.
  int first_token = 0;
  CimRegion region;
  int weight_bits = 8;  ///< The region was written with so many; bit planes above are gated off.
  /// These of the `rows` and `columns` only keep heads apart: their weights are zero,
  /// nobody reads their sums. They are computed and count as wasted.
  int padding_rows = 0;
  int padding_columns = 0;
  CimEpilogue epilogue;
};

/// Tokens of a multiply travel in 16 bits of its packed command.
inline constexpr int kCimMostTokens = 65535;

/// Weights that enter a macro row in one cycle. The cells see one granule per
/// cycle; a transposed matrix passes in blocks of granule x granule codes.
int write_granule(const CimConfig& config);

/// Column tile by column tile; in a tile every row of the matrix, in granules.
/// With `transpose`, a tile's columns in blocks of one granule, each block in
/// turn split along k: a beat is then a piece of a source row.
Stream input_stream(const CimConfig& config, const CimWrite& operation);
/// Sums that leave the output buffers in a cycle, and results in a beat.
int results_per_beat(const CimConfig& config);

/// Reciprocals that come in a beat, before the tokens that they are for.
int reciprocals_per_beat(const CimConfig& config);

/// Token by token the codes of its row; where the epilogue normalises, a beat of reciprocals
/// before each group of tokens that they are for.
Stream input_stream(const CimConfig& config, const CimMultiply& operation);
/// Token by token, its n results. A beat has as many results whatever their width.
Stream output_stream(const CimConfig& config, const CimMultiply& operation);

}  // namespace quadrille::hw
