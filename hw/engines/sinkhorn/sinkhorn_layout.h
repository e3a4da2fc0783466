// The elements of a block have places in the banks of the tile memory, and these
// decide the cycles of a step, a sweep, a beat. Everything here follows from
// shapes alone. docs/engines/sinkhorn.md, "Banks".
#pragma once

#include <cstdint>
#include <vector>

#include "hw/engines/sinkhorn/sinkhorn_operations.h"

namespace quadrille::hw {

/// The two sides of a matrix: a row sweep sums rows, a column sweep columns.
enum class SinkhornSide { kRows, kColumns };

/// The cut of a run of elements into beats: at most `beat` elements each, and
/// none across the end of a run of `run` elements.
struct SinkhornCut {
  std::int64_t run = 1;
  int beat = 1;

  /// Elements of the beat at `position` of `total`.
  int size(std::int64_t position, std::int64_t total) const;
};

/// Cycles, and how many of them were lost to accesses that do not go together.
struct SinkhornCycles {
  std::int64_t cycles = 0;
  std::int64_t conflicts = 0;

  SinkhornCycles& operator+=(const SinkhornCycles& other) {
    cycles += other.cycles;
    conflicts += other.conflicts;
    return *this;
  }
};

/// Lines that one group sums side by side, in so many steps.
struct SinkhornGroup {
  int lines = 0;
  int span = 0;  ///< Lanes from the first line to the last: what the drain goes through.
  int steps = 0;
  int step_cycles = 1;  ///< The largest number of lines that share a bank.
};

/// A block of `matrices` matrices of one shape in the tile memory.
class SinkhornLayout {
 public:
  SinkhornLayout(const SinkhornConfig& config, int rows, int columns, int matrices);

  /// Matrices side by side in a group: lanes / max(rows, columns), at least 1.
  int side_by_side() const { return side_by_side_; }
  int matrices() const { return matrices_; }
  std::int64_t elements() const { return std::int64_t{matrices_} * rows_ * columns_; }

  /// Bank of element (row, column) of the block's matrix `matrix`.
  int bank(int matrix, int row, int column) const;

  /// The groups of a sweep, in order.
  std::vector<SinkhornGroup> groups(SinkhornSide side) const;
  /// Steps only: each group's elements read (or written) once.
  SinkhornCycles pass(SinkhornSide side) const;
  /// Cycles from the first step to the last line's sum at the log units; draining
  /// a group overlaps the next one's steps.
  SinkhornCycles sums(SinkhornSide side) const;
  /// Cycles that the bank port needs for one beat of `size` elements from
  /// `position` (matrix, row, column flattened) on: one per row it touches, since
  /// every row needs a rotation of its own, and rows share banks.
  int beat_cycles(std::int64_t position, int size) const;
  /// Cycles of `size` words of `each` per matrix (scalings, counts): one per
  /// stretch of neighbouring lanes. A group is one stretch where its matrices'
  /// lines fill their lanes, else every matrix (a wide one: `lanes` lines) is.
  int word_cycles(std::int64_t position, int size, int each) const;
  SinkhornCycles words(const SinkhornCut& cut, int each) const;
  /// All beats of the block.
  SinkhornCycles beats(const SinkhornCut& cut) const;

 private:
  int step_cycles(SinkhornSide side, int first_line, int matrices, int lines) const;

  int lanes_;
  int log_units_;
  bool skewed_;
  int rows_;
  int columns_;
  int matrices_;
  int stride_;
  int side_by_side_;
};

/// One sweep over a resident block, from its first step to the next sweep's.
SinkhornCycles sinkhorn_sweep_cycles(const SinkhornScale& operation, const SinkhornLayout& layout,
                                     SinkhornSide side);
/// Held K passes these before the first sweep: the rest of the largest logit's
/// way, then K in place of every logit. kScaling passes none.
SinkhornCycles sinkhorn_conversion_cycles(const SinkhornScale& operation,
                                          const SinkhornLayout& layout);

/// Cycles from a slot to its beat.
int sinkhorn_output_latency(const SinkhornScale& operation);

/// Cuts of a resident command's streams; `matrices` of the block (the last one
/// may hold fewer).
SinkhornCut sinkhorn_element_cut(const SinkhornConfig& config, const SinkhornScale& operation,
                                 int matrices);
SinkhornCut sinkhorn_kernel_cut(const SinkhornConfig& config, const SinkhornScale& operation,
                                int matrices);
/// The cut of `each` words per matrix (scalings, counts).
SinkhornCut sinkhorn_word_cut(const SinkhornConfig& config, const SinkhornScale& operation,
                              int each);

/// Columns of a streamed command's chunk: half of the tile memory holds `lanes`
/// rows of so many.
int sinkhorn_chunk_columns(const SinkhornConfig& config);

/// A part of a streamed matrix; half of the tile memory holds one.
struct SinkhornChunk {
  int row = 0;  ///< First one.
  int rows = 0;
  int column = 0;
  int columns = 0;
  bool ends_rows = false;  ///< The last chunk of its rows.
};
/// The chunks in the order in which a pass takes them.
std::vector<SinkhornChunk> sinkhorn_chunks(const SinkhornConfig& config,
                                           const SinkhornScale& operation);

/// The cycle in which the last column sum of a streamed pass has left for the log
/// units: a word of `lanes` sums after the other goes through a cycle of the
/// lanes and, when the drain registers are empty, through those.
std::int64_t sinkhorn_fold_end(const SinkhornConfig& config, const SinkhornScale& operation,
                               std::int64_t summed, std::int64_t drained);

/// The elements of `rows` rows from first_row on that the mask, if any, leaves.
std::int64_t sinkhorn_visible(std::int64_t rows, std::int64_t columns, bool causal,
                              std::int64_t first_row);

/// Throws InvariantError, with names, when a command does not fit the engine.
void validate(const SinkhornConfig& config);
void validate(const SinkhornConfig& config, const SinkhornScale& operation);
void validate(const SinkhornConfig& config, const SinkhornApply& operation);

}  // namespace quadrille::hw
