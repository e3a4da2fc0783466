// The shape of one command of the linear-attention engine, as beats and chunks,
// and the order in which the commands of a sequence may follow each other.
#pragma once

#include <cstddef>
#include <cstdint>

#include "hw/engines/linear/linear_operations.h"

namespace quadrille::hw {

/// Place of an element in a row-major matrix of `columns` columns.
inline std::size_t cell(int row, int column, int columns) {
  return static_cast<std::size_t>(row) * static_cast<std::size_t>(columns) +
         static_cast<std::size_t>(column);
}

/// A command's next tokens: `keys` K rows, `keys` V rows, `queries` Q rows.
struct LinearChunk {
  int first = 0;  ///< Index of its first token in the piece.
  int keys = 0;
  int queries = 0;
};

/// Throws InvariantError naming the field and its value.
void check(const LinearConfig& config);
void check(const LinearConfig& config, const LinearAttend& operation);

int linear_chunks(const LinearConfig& config, const LinearAttend& operation);
LinearChunk linear_chunk(const LinearConfig& config, const LinearAttend& operation, int index);

/// Beats of a row of K, Q or RP.
int linear_row_beats(const LinearConfig& config, const LinearAttend& operation);
/// Beats of tables and RP at the begin of the command.
std::int64_t linear_load_beats(const LinearConfig& config, const LinearAttend& operation);
/// Columns of a numerator beat: as many bytes as an output beat has.
int linear_numerator_columns(const LinearConfig& config);
/// Output beats of one query.
int linear_query_slots(const LinearConfig& config, const LinearAttend& operation);

/// Rows of RP whose weights a query makes: 2k+1, under the mask k+1 (no key has
/// a positive offset), 0 without relative positions.
int linear_weights(const LinearAttend& operation);
/// True when V rows are streamed before the queries, which are not causal.
bool linear_streams_window(const LinearAttend& operation);
/// New rows of V before the piece's query of this index, if they are streamed.
int linear_new_window_rows(const LinearAttend& operation, int query);

/// Rows of V that the engine holds: a window of 2k rows, two chunks, and the
/// rows that arrive while a query is on its way through the pipeline.
int linear_ring_rows(const LinearConfig& config);

/// The sequence that the engine's state holds, kept so that a command which does
/// not continue it is found.
class LinearSequence {
 public:
  /// Throws InvariantError when the command is not the next of the sequence.
  void follow(const LinearAttend& operation);

 private:
  bool started_ = false;
  LinearAttend first_;
  int keys_ = 0;
  int queries_ = 0;
};

}  // namespace quadrille::hw
