// Commands of the Sinkhorn unit: find the scalings of a matrix (or a batch),
// apply them to rows. Specification: model/attention/sinkhorn.h.
#pragma once

#include <cstdint>
#include <variant>

#include "hw/memory/stream.h"
#include "hw/sequencer/unit.h"
#include "model/attention/sinkhorn.h"
#include "model/numerics/quantise.h"

namespace quadrille::hw {

/// Rows, and columns, for which every sum of the specification fits (docs/numerics.md).
inline constexpr int kSinkhornMostLines = 4096;
/// Half-steps of a command, and matrices of its batch: their counters' 20 bits.
inline constexpr int kSinkhornMostSteps = (1 << 20) - 1;

struct SinkhornConfig {
  int lanes = 32;  ///< Lines summed side by side; banks of the tile memory.
  int tile_elements =
      16384;               ///< Logits (16 bits) that the tile memory holds; half as many of held K.
  int max_lines = 4096;    ///< The largest number of rows, and of columns, of a matrix.
  int log_units = 8;       ///< Line sums turned into scalings per cycle.
  int value_columns = 16;  ///< Columns of V that one sweep of an apply multiplies.
  /// Element (i, j) lies in bank (i + j) mod lanes, so that `lanes` neighbours of
  /// a row and of a column lie in different banks. False: bank j mod lanes, where
  /// a column's neighbours share a bank and take `lanes` cycles.
  bool skewed = true;
};

/// Finds the scalings of `batch` matrices of rows x columns.
///
/// Resident when a matrix fits the tile memory (sinkhorn_resident()): the batch
/// is worked off in blocks of as many matrices as fit, each read once. Otherwise
/// (batch 1 only) the matrix is streamed anew for every sweep: its input stream
/// is one sweep, and the engine asks for it again (BeatEngine::repeat_input).
///
/// Input: starting scalings (with `warm`: rows' then columns', 4 bytes each), and
/// the elements. Output per block: the matrices' row scalings, then column
/// scalings, then one count (half-steps done) each, 4 bytes each; with
/// kernel_wanted also the block's K (24 fraction bits), 4 bytes an element, in one
/// flat run when the rows lie without gaps. Held K must have kernel_wanted.
struct SinkhornScale {
  static constexpr Unit kUnit = Unit::kSinkhorn;
  std::uint64_t source = 0;
  std::int64_t source_pitch_bytes = 0;  ///< columns * element_bytes: rows without gaps.
  std::int64_t matrix_stride_bytes = 0;
  int element_bytes = 2;           ///< 2: codes of C; 4: scores of Q K^T.
  std::uint64_t warm_rows = 0;     ///< Starting scalings [batch, rows], with `warm`.
  std::uint64_t warm_columns = 0;  ///< [batch, columns], with `warm`.
  std::uint64_t row_scalings = 0;  ///< Destination [batch, rows].
  std::uint64_t column_scalings = 0;
  std::uint64_t counts = 0;    ///< [batch]
  bool kernel_wanted = false;  ///< Resident only, with any form: give K too.
  std::uint64_t kernel = 0;    ///< Destination of K; columns * 4 pitch: rows without gaps.
  std::int64_t kernel_pitch_bytes = 0;
  std::int64_t kernel_stride_bytes = 0;
  int batch = 1;
  int rows = 0;
  int columns = 0;
  bool causal = false;
  bool warm = false;
  model::Multiplier factor;
  int logit_fraction_bits = model::kLeastLogitFractionBits;
  model::SinkhornForm form = model::SinkhornForm::kScaling;
  model::SinkhornUpdate update = model::SinkhornUpdate::kAlternate;
  int half_steps = 0;
  bool stop = false;  ///< Then tolerance_code says where.
  std::int32_t tolerance_code = 0;
  /// One more sweep than half_steps, which changes nothing: what a run without
  /// data does in place of a tolerance stop.
  bool verify = false;
  std::int32_t column_target = 0;           ///< log2(n/m), 16 fraction bits.
  model::Multiplier column_target_inverse;  ///< m/n, for held K.
};

/// The kind of number that the tile memory takes in.
enum class SinkhornSource { kElements, kKernel };

/// Rows first .. of K = 2^(L + f + g), and their products with V.
///
/// Input: with kElements the column scalings [columns] and the rows' scalings
/// [rows], 4 bytes each; then per group of value_columns columns of V: those
/// columns of V (row by row), and the rows' elements; without V once the
/// elements. Output: in the first group per row K (4 bytes an element, 24
/// fraction bits) if asked for, then out (4 bytes a column) if there is a V.
struct SinkhornApply {
  static constexpr Unit kUnit = Unit::kSinkhorn;
  std::uint64_t source = 0;
  std::int64_t source_pitch_bytes = 0;
  SinkhornSource from = SinkhornSource::kElements;
  int element_bytes = 2;  ///< kKernel: 4.
  std::uint64_t row_scalings = 0;
  std::uint64_t column_scalings = 0;
  bool kernel_wanted = false;
  std::uint64_t kernel = 0;
  std::int64_t kernel_pitch_bytes = 0;
  std::uint64_t values = 0;
  std::int64_t value_pitch_bytes = 0;
  int value_bytes = 2;  ///< 1, 2 or 4; codes of at most 20 bits.
  int value_width = 0;  ///< 0: no V.
  std::uint64_t destination = 0;
  std::int64_t destination_pitch_bytes = 0;
  int rows = 0;
  int columns = 0;
  bool causal = false;
  int first_row = 0;  ///< Row of the matrix, for the mask.
  model::Multiplier factor;
  int logit_fraction_bits = model::kLeastLogitFractionBits;
};

using SinkhornOperation = std::variant<SinkhornScale, SinkhornApply>;

/// True when the tile memory holds at least one matrix of this shape and form.
bool sinkhorn_resident(const SinkhornConfig& config, int rows, int columns,
                       model::SinkhornForm form);
/// Matrices that one block of a resident batch holds, at least 1.
int sinkhorn_block_matrices(const SinkhornConfig& config, int rows, int columns,
                            model::SinkhornForm form);

/// The beats of a command (of one sweep, where it is streamed), in the order in
/// which the engine takes and gives them (docs/engines/sinkhorn.md). Throw
/// InvariantError when the command does not fit the engine.
Stream input_stream(const SinkhornConfig& config, const SinkhornScale& operation);
Stream output_stream(const SinkhornConfig& config, const SinkhornScale& operation);
Stream input_stream(const SinkhornConfig& config, const SinkhornApply& operation);
Stream output_stream(const SinkhornConfig& config, const SinkhornApply& operation);

}  // namespace quadrille::hw
