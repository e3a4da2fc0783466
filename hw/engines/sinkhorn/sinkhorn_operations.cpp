#include "hw/engines/sinkhorn/sinkhorn_operations.h"

#include <algorithm>
#include <string>

#include "hw/engines/beat_engine.h"
#include "hw/engines/sinkhorn/sinkhorn_layout.h"
#include "model/errors.h"
#include "model/numerics/integers.h"

namespace quadrille::hw {
namespace {

/// Throws where a number leaves what the widths of docs/numerics.md hold for.
void require(const char* who, const char* what, std::int64_t value, std::int64_t least,
             std::int64_t most) {
  if (value >= least && value <= most) return;
  throw InvariantError(std::string(who) + ": " + what + " is " + std::to_string(value) +
                       ", must be " + std::to_string(least) + ".." + std::to_string(most));
}

void require(bool holds, const std::string& otherwise) {
  if (!holds) throw InvariantError("Sinkhorn scale: " + otherwise);
}

/// Matrices of this shape that the banks hold: a group of side-by-side matrices
/// takes as many words of every bank as it has rows, a wider matrix as many as
/// each of its rows has parts of `lanes`.
std::int64_t tile_matrices(const SinkhornConfig& config, int rows, int columns,
                           model::SinkhornForm form) {
  const bool held = form != model::SinkhornForm::kScaling;
  const std::int64_t words = config.tile_elements / config.lanes / (held ? 2 : 1);
  const int lines = std::max(rows, columns);
  if (lines <= config.lanes) return words / rows * (config.lanes / lines);
  return words / (std::int64_t{rows} * model::ceil_div(columns, config.lanes));
}

std::uint64_t offset(std::uint64_t address, std::int64_t bytes) {
  return address + static_cast<std::uint64_t>(bytes);
}

StreamSegment flat(std::uint64_t address, std::int64_t bytes, int beat_bytes) {
  return matrix_rows(address, 1, bytes, bytes, beat_bytes);
}

/// The place of a batch of matrices.
struct Place {
  std::uint64_t address = 0;
  std::int64_t pitch_bytes = 0;
  std::int64_t stride_bytes = 0;
  int element_bytes = 0;
};

/// `matrices` matrices from number `first` on.
void add_matrices(Stream& stream, const SinkhornScale& operation, const Place& place,
                  const SinkhornCut& cut, int first, int matrices) {
  const std::int64_t row_bytes = std::int64_t{operation.columns} * place.element_bytes;
  const std::int64_t matrix_bytes = operation.rows * row_bytes;
  const int beat_bytes = cut.beat * place.element_bytes;
  const std::uint64_t address = offset(place.address, first * place.stride_bytes);
  if (place.pitch_bytes == row_bytes) {
    if (operation.batch == 1 || place.stride_bytes == matrix_bytes)
      stream.push_back(flat(address, matrices * matrix_bytes, beat_bytes));
    else
      stream.push_back(
          matrix_rows(address, matrices, matrix_bytes, place.stride_bytes, beat_bytes));
    return;
  }
  for (int matrix = 0; matrix < matrices; ++matrix)
    stream.push_back(matrix_rows(offset(address, matrix * place.stride_bytes), operation.rows,
                                 row_bytes, place.pitch_bytes, beat_bytes));
}

/// `each` words per matrix, of `matrices` matrices from number `first` on.
void add_words(Stream& stream, const SinkhornConfig& config, const SinkhornScale& operation,
               std::uint64_t address, int each, int first, int matrices) {
  const int beat = sinkhorn_word_cut(config, operation, each).beat;
  stream.push_back(flat(offset(address, std::int64_t{4} * each * first),
                        std::int64_t{4} * each * matrices, 4 * beat));
}

void add_warm(Stream& stream, const SinkhornConfig& config, const SinkhornScale& operation,
              int first, int matrices) {
  if (!operation.warm) return;
  add_words(stream, config, operation, operation.warm_rows, operation.rows, first, matrices);
  add_words(stream, config, operation, operation.warm_columns, operation.columns, first, matrices);
}

/// One pass over a matrix that does not fit: `lanes` rows after `lanes` rows,
/// each in chunks of columns.
void add_chunks(Stream& stream, const SinkhornConfig& config, const SinkhornScale& operation) {
  for (const SinkhornChunk& chunk : sinkhorn_chunks(config, operation)) {
    const std::int64_t at = chunk.row * operation.source_pitch_bytes +
                            std::int64_t{chunk.column} * operation.element_bytes;
    stream.push_back(matrix_rows(offset(operation.source, at), chunk.rows,
                                 std::int64_t{chunk.columns} * operation.element_bytes,
                                 operation.source_pitch_bytes,
                                 config.lanes * operation.element_bytes));
  }
}

}  // namespace

bool sinkhorn_resident(const SinkhornConfig& config, int rows, int columns,
                       model::SinkhornForm form) {
  return tile_matrices(config, rows, columns, form) >= 1;
}

int sinkhorn_block_matrices(const SinkhornConfig& config, int rows, int columns,
                            model::SinkhornForm form) {
  // A line memory has a word of `lanes` for each of their groups.
  const int lines = std::max(1, std::max(rows, columns));
  const int words = model::ceil_div(config.max_lines, config.lanes);
  const int held = lines <= config.lanes ? words * (config.lanes / lines)
                                         : words / model::ceil_div(lines, config.lanes);
  const std::int64_t most =
      std::min<std::int64_t>(tile_matrices(config, rows, columns, form), held);
  // Blocks of a batch shall begin where a beat may begin.
  if (most >= config.lanes) return static_cast<int>(most - most % config.lanes);
  for (int divisor = static_cast<int>(most); divisor > 1; --divisor)
    if (config.lanes % divisor == 0) return divisor;
  return 1;
}

void validate(const SinkhornConfig& config) {
  const char* who = "Sinkhorn unit";
  require(who, "lanes", config.lanes, 1, Beat::kBytes / 4);
  require(who, "value_columns", config.value_columns, 1, Beat::kBytes / 4);
  require(who, "log_units", config.log_units, 1, config.lanes);
  require(who, "max_lines", config.max_lines, config.lanes, kSinkhornMostLines);
  require(who, "tile_elements", config.tile_elements, std::int64_t{2} * config.lanes, 1 << 30);
}

void validate(const SinkhornConfig& config, const SinkhornScale& operation) {
  const char* who = "Sinkhorn scale";
  require(who, "batch", operation.batch, 1, kSinkhornMostSteps);
  require(who, "rows", operation.rows, 1, config.max_lines);
  require(who, "columns", operation.columns, 1, config.max_lines);
  require(who, "half_steps", operation.half_steps, 1, kSinkhornMostSteps);
  require(who, "logit_fraction_bits", operation.logit_fraction_bits, model::kLeastLogitFractionBits,
          model::kMostLogitFractionBits);
  require(who, "factor shift", operation.factor.shift, 0, 62);
  require(operation.element_bytes == 2 || operation.element_bytes == 4,
          "element_bytes is " + std::to_string(operation.element_bytes) + ", must be 2 or 4");
  const bool held = operation.form != model::SinkhornForm::kScaling;
  require(!held || operation.update == model::SinkhornUpdate::kAlternate,
          "held K has no damped update");
  require(!held || !operation.warm, "held K has no warm start");
  require(!held || operation.kernel_wanted, "held K must be wanted: nothing else can give it");
  if (sinkhorn_resident(config, operation.rows, operation.columns, operation.form)) return;
  const std::string matrix = "a matrix of " + std::to_string(operation.rows) + " x " +
                             std::to_string(operation.columns) + " beyond the tile memory of " +
                             std::to_string(config.tile_elements) + " elements ";
  require(!held, matrix + "cannot be held as K");
  require(!operation.kernel_wanted, matrix + "cannot give its K");
  require(operation.batch == 1, matrix + "must be a batch of 1");
  require(operation.columns > 1, matrix + "must have more than one column");
  require(sinkhorn_chunk_columns(config) >= config.lanes,
          matrix + "cannot be streamed: half of it must hold lanes x lanes = " +
              std::to_string(config.lanes * config.lanes));
}

void validate(const SinkhornConfig& config, const SinkhornApply& operation) {
  const char* who = "Sinkhorn apply";
  require(who, "rows", operation.rows, 1, config.max_lines);
  require(who, "columns", operation.columns, 1, config.max_lines);
  require(who, "first_row", operation.first_row, 0, INT32_MAX / 2);
  require(who, "value_width", operation.value_width, operation.kernel_wanted ? 0 : 1, 1 << 20);
  require(who, "logit_fraction_bits", operation.logit_fraction_bits, model::kLeastLogitFractionBits,
          model::kMostLogitFractionBits);
  require(who, "factor shift", operation.factor.shift, 0, 62);
  const bool elements = operation.from == SinkhornSource::kElements;
  require(who, "element_bytes", operation.element_bytes, elements ? 2 : 4, 4);
  require(who, "element_bytes modulo 2", operation.element_bytes % 2, 0, 0);
  require(who, "value_bytes", operation.value_bytes, 1, 4);
  require(who, "value_bytes == 3", operation.value_bytes == 3 ? 1 : 0, 0, 0);
}

Stream input_stream(const SinkhornConfig& config, const SinkhornScale& operation) {
  validate(config, operation);
  Stream stream;
  if (!sinkhorn_resident(config, operation.rows, operation.columns, operation.form)) {
    add_warm(stream, config, operation, 0, 1);
    add_chunks(stream, config, operation);
    return stream;
  }
  const Place place{operation.source, operation.source_pitch_bytes, operation.matrix_stride_bytes,
                    operation.element_bytes};
  const int block =
      sinkhorn_block_matrices(config, operation.rows, operation.columns, operation.form);
  for (int first = 0; first < operation.batch; first += block) {
    const int matrices = std::min(block, operation.batch - first);
    add_warm(stream, config, operation, first, matrices);
    add_matrices(stream, operation, place, sinkhorn_element_cut(config, operation, matrices), first,
                 matrices);
  }
  return stream;
}

Stream output_stream(const SinkhornConfig& config, const SinkhornScale& operation) {
  validate(config, operation);
  const Place place{operation.kernel, operation.kernel_pitch_bytes, operation.kernel_stride_bytes,
                    4};
  const int block =
      sinkhorn_block_matrices(config, operation.rows, operation.columns, operation.form);
  Stream stream;
  for (int first = 0; first < operation.batch; first += block) {
    const int matrices = std::min(block, operation.batch - first);
    if (operation.form != model::SinkhornForm::kMatrix) {
      add_words(stream, config, operation, operation.row_scalings, operation.rows, first, matrices);
      add_words(stream, config, operation, operation.column_scalings, operation.columns, first,
                matrices);
    }
    add_words(stream, config, operation, operation.counts, 1, first, matrices);
    if (operation.kernel_wanted)
      add_matrices(stream, operation, place, sinkhorn_kernel_cut(config, operation, matrices),
                   first, matrices);
  }
  return stream;
}

Stream input_stream(const SinkhornConfig& config, const SinkhornApply& operation) {
  validate(config, operation);
  Stream stream;
  if (operation.from == SinkhornSource::kElements) {
    stream.push_back(
        flat(operation.column_scalings, std::int64_t{4} * operation.columns, 4 * config.lanes));
    stream.push_back(
        flat(operation.row_scalings, std::int64_t{4} * operation.rows, 4 * config.lanes));
  }
  const StreamSegment elements = matrix_rows(
      operation.source, operation.rows, std::int64_t{operation.columns} * operation.element_bytes,
      operation.source_pitch_bytes, config.lanes * operation.element_bytes);
  if (operation.value_width == 0) stream.push_back(elements);
  for (int column = 0; column < operation.value_width; column += config.value_columns) {
    const int beat_bytes =
        std::min(config.value_columns, operation.value_width - column) * operation.value_bytes;
    stream.push_back(
        matrix_rows(offset(operation.values, std::int64_t{column} * operation.value_bytes),
                    operation.columns, beat_bytes, operation.value_pitch_bytes, beat_bytes));
    stream.push_back(elements);
  }
  return stream;
}

Stream output_stream(const SinkhornConfig& config, const SinkhornApply& operation) {
  validate(config, operation);
  Stream stream;
  const int first_width = std::min(config.value_columns, operation.value_width);
  if (operation.kernel_wanted) {
    for (int row = 0; row < operation.rows; ++row) {
      stream.push_back(flat(offset(operation.kernel, row * operation.kernel_pitch_bytes),
                            std::int64_t{4} * operation.columns, 4 * config.lanes));
      if (first_width > 0)
        stream.push_back(
            flat(offset(operation.destination, row * operation.destination_pitch_bytes),
                 std::int64_t{4} * first_width, 4 * first_width));
    }
  }
  for (int column = operation.kernel_wanted ? first_width : 0; column < operation.value_width;
       column += config.value_columns) {
    const int bytes = 4 * std::min(config.value_columns, operation.value_width - column);
    stream.push_back(matrix_rows(offset(operation.destination, std::int64_t{4} * column),
                                 operation.rows, bytes, operation.destination_pitch_bytes, bytes));
  }
  return stream;
}

}  // namespace quadrille::hw
