#include "hw/engines/sinkhorn/sinkhorn_layout.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "hw/engines/beat_engine.h"
#include "hw/engines/sinkhorn/sinkhorn_engine.h"
#include "model/numerics/causal_pairs.h"
#include "model/numerics/integers.h"

namespace quadrille::hw {
namespace {

constexpr int kMostLanes = Beat::kBytes / 4;
using BankCounts = std::array<int, kMostLanes>;

/// `elements` contiguous elements per matrix that one block of several ends in
/// a beat, wherever the block begins.
int block_beat(const SinkhornConfig& config, const SinkhornScale& operation,
               std::int64_t elements) {
  const int block =
      sinkhorn_block_matrices(config, operation.rows, operation.columns, operation.form);
  if (operation.batch <= block) return config.lanes;
  return static_cast<int>(std::gcd(std::int64_t{config.lanes}, block * elements));
}

SinkhornCut matrix_cut(const SinkhornConfig& config, const SinkhornScale& operation, int matrices,
                       int element_bytes, std::int64_t pitch, std::int64_t stride) {
  if (pitch != std::int64_t{element_bytes} * operation.columns)
    return {operation.columns, config.lanes};
  const std::int64_t elements = std::int64_t{operation.rows} * operation.columns;
  if (operation.batch > 1 && stride != operation.rows * pitch) return {elements, config.lanes};
  return {matrices * elements, block_beat(config, operation, elements)};
}

/// Reads and writes in turn on the same port, in the order of a column sweep,
/// which has no conflicts with or without skew.
SinkhornCycles scale_in_place(const SinkhornLayout& layout) {
  SinkhornCycles result = layout.pass(SinkhornSide::kColumns);
  result += result;
  result.cycles += kSinkhornTiming.scale_latency;
  return result;
}

}  // namespace

int SinkhornCut::size(std::int64_t position, std::int64_t total) const {
  return static_cast<int>(std::min({std::int64_t{beat}, run - position % run, total - position}));
}

SinkhornLayout::SinkhornLayout(const SinkhornConfig& config, int rows, int columns, int matrices)
    : lanes_(config.lanes),
      log_units_(config.log_units),
      skewed_(config.skewed),
      rows_(rows),
      columns_(columns),
      matrices_(matrices),
      stride_(std::max(rows, columns)),
      side_by_side_(std::max(1, config.lanes / std::max(rows, columns))) {}

int SinkhornLayout::bank(int matrix, int row, int column) const {
  const int lane = matrix % side_by_side_ * stride_;
  return (lane + (skewed_ ? row : 0) + column) % lanes_;
}

std::vector<SinkhornGroup> SinkhornLayout::groups(SinkhornSide side) const {
  const int lines = side == SinkhornSide::kRows ? rows_ : columns_;
  const int steps = side == SinkhornSide::kRows ? columns_ : rows_;
  std::vector<SinkhornGroup> groups;
  // Equal groups share their count of bank conflicts.
  const auto add = [&](int first_line, int matrices, int group_lines) {
    if (groups.empty() || groups.back().lines != matrices * group_lines)
      groups.push_back({matrices * group_lines, (matrices - 1) * stride_ + group_lines, steps,
                        step_cycles(side, first_line, matrices, group_lines)});
    else
      groups.push_back(groups.back());
  };
  for (int matrix = 0; matrix < matrices_; matrix += side_by_side_) {
    const int present = std::min(side_by_side_, matrices_ - matrix);
    for (int line = 0; line < lines; line += lanes_)
      add(line, present, std::min(lanes_, lines - line));
  }
  return groups;
}

// A step's index moves all its banks by the same amount, or none: the count at
// step 0 is that of every step.
int SinkhornLayout::step_cycles(SinkhornSide side, int first_line, int matrices, int lines) const {
  BankCounts counts{};
  int most = 0;
  for (int matrix = 0; matrix < matrices; ++matrix) {
    for (int line = first_line; line < first_line + lines; ++line) {
      const int place = side == SinkhornSide::kRows ? bank(matrix, line, 0) : bank(matrix, 0, line);
      most = std::max(most, ++counts[static_cast<std::size_t>(place)]);
    }
  }
  return most;
}

SinkhornCycles SinkhornLayout::pass(SinkhornSide side) const {
  SinkhornCycles result;
  for (const SinkhornGroup& group : groups(side)) {
    result += {std::int64_t{group.steps} * group.step_cycles,
               std::int64_t{group.steps} * (group.step_cycles - 1)};
  }
  return result;
}

SinkhornCycles SinkhornLayout::sums(SinkhornSide side) const {
  SinkhornCycles result;
  std::int64_t drain = 0;  // The group before is drained in so many cycles.
  for (const SinkhornGroup& group : groups(side)) {
    // The sums move to the drain registers when those are empty.
    const std::int64_t steps = std::int64_t{group.steps} * group.step_cycles;
    result += {std::max(steps, drain), std::int64_t{group.steps} * (group.step_cycles - 1)};
    drain = model::ceil_div(group.span, log_units_);
  }
  result.cycles += drain;
  return result;
}

int SinkhornLayout::beat_cycles(std::int64_t position, int size) const {
  return static_cast<int>((position + size - 1) / columns_ - position / columns_ + 1);
}

SinkhornCycles SinkhornLayout::beats(const SinkhornCut& cut) const {
  SinkhornCycles result;
  const std::int64_t total = elements();
  for (std::int64_t at = 0; at < total;) {
    const int size = cut.size(at, total);
    const int cycles = beat_cycles(at, size);
    result += {cycles, cycles - 1};
    at += size;
  }
  return result;
}

int SinkhornLayout::word_cycles(std::int64_t position, int size, int each) const {
  const auto stretch = [&](std::int64_t word) -> std::int64_t {
    if (stride_ > lanes_) return word / each * model::ceil_div(each, lanes_) + word % each / lanes_;
    return each == stride_ ? word / (std::int64_t{side_by_side_} * each) : word / each;
  };
  return static_cast<int>(stretch(position + size - 1) - stretch(position) + 1);
}

SinkhornCycles SinkhornLayout::words(const SinkhornCut& cut, int each) const {
  SinkhornCycles result;
  const std::int64_t total = std::int64_t{matrices_} * each;
  for (std::int64_t at = 0; at < total;) {
    const int size = cut.size(at, total);
    const int cycles = word_cycles(at, size, each);
    result += {cycles, cycles - 1};
    at += size;
  }
  return result;
}

SinkhornCycles sinkhorn_sweep_cycles(const SinkhornScale& operation, const SinkhornLayout& layout,
                                     SinkhornSide side) {
  SinkhornCycles result = layout.sums(side);
  result.cycles += kSinkhornTiming.sweep_latency;
  if (operation.form == model::SinkhornForm::kMatrix) result += scale_in_place(layout);
  return result;
}

SinkhornCycles sinkhorn_conversion_cycles(const SinkhornScale& operation,
                                          const SinkhornLayout& layout) {
  if (operation.form == model::SinkhornForm::kScaling) return {};
  SinkhornCycles result = scale_in_place(layout);
  result.cycles += kSinkhornTiming.maximum_latency;
  return result;
}

int sinkhorn_output_latency(const SinkhornScale& operation) {
  return operation.form == model::SinkhornForm::kScaling ? kSinkhornTiming.output_latency
                                                         : kSinkhornTiming.held_output_latency;
}

SinkhornCut sinkhorn_element_cut(const SinkhornConfig& config, const SinkhornScale& operation,
                                 int matrices) {
  return matrix_cut(config, operation, matrices, operation.element_bytes,
                    operation.source_pitch_bytes, operation.matrix_stride_bytes);
}

SinkhornCut sinkhorn_kernel_cut(const SinkhornConfig& config, const SinkhornScale& operation,
                                int matrices) {
  return matrix_cut(config, operation, matrices, 4, operation.kernel_pitch_bytes,
                    operation.kernel_stride_bytes);
}

SinkhornCut sinkhorn_word_cut(const SinkhornConfig& config, const SinkhornScale& operation,
                              int each) {
  return {std::int64_t{operation.batch} * each, block_beat(config, operation, each)};
}

int sinkhorn_chunk_columns(const SinkhornConfig& config) {
  const int columns = config.tile_elements / 2 / config.lanes;
  return columns - columns % config.lanes;
}

std::vector<SinkhornChunk> sinkhorn_chunks(const SinkhornConfig& config,
                                           const SinkhornScale& operation) {
  const int width = sinkhorn_chunk_columns(config);
  std::vector<SinkhornChunk> chunks;
  for (int row = 0; row < operation.rows; row += config.lanes) {
    for (int column = 0; column < operation.columns; column += width) {
      const int columns = std::min(width, operation.columns - column);
      chunks.push_back({row, std::min(config.lanes, operation.rows - row), column, columns,
                        column + columns == operation.columns});
    }
  }
  return chunks;
}

std::int64_t sinkhorn_fold_end(const SinkhornConfig& config, const SinkhornScale& operation,
                               std::int64_t summed, std::int64_t drained) {
  for (int column = 0; column < operation.columns; column += config.lanes) {
    const int lines = std::min(config.lanes, operation.columns - column);
    summed = std::max(summed + 1, drained);
    drained = summed + model::ceil_div(lines, config.log_units);
  }
  return drained;
}

std::int64_t sinkhorn_visible(std::int64_t rows, std::int64_t columns, bool causal,
                              std::int64_t first_row) {
  return causal ? model::causal_pairs(rows, columns, first_row) : rows * columns;
}

}  // namespace quadrille::hw
