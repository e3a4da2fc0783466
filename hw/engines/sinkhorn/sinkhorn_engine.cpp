#include "hw/engines/sinkhorn/sinkhorn_engine.h"

#include <algorithm>
#include <vector>

#include "hw/engines/multiversion.h"
#include "hw/engines/sinkhorn/sinkhorn_block.h"
#include "hw/engines/sinkhorn/sinkhorn_layout.h"
#include "hw/engines/sinkhorn/sinkhorn_line_sums.h"
#include "model/errors.h"
#include "model/numerics/integers.h"
#include "model/numerics/logarithm.h"
#include "model/numerics/rounding.h"

namespace quadrille::hw {
namespace {

constexpr SinkhornTiming kTiming = kSinkhornTiming;
using model::ceil_div;
using model::SinkhornForm;

std::uint64_t offset(std::uint64_t address, std::int64_t bytes) {
  return address + static_cast<std::uint64_t>(bytes);
}

bool resident(const SinkhornConfig& config, const SinkhornScale& operation) {
  return sinkhorn_resident(config, operation.rows, operation.columns, operation.form);
}
int block_matrices(const SinkhornConfig& config, const SinkhornScale& operation) {
  return std::min(operation.batch, sinkhorn_block_matrices(config, operation.rows,
                                                           operation.columns, operation.form));
}
bool damped(const SinkhornScale& operation) {
  return operation.update == model::SinkhornUpdate::kDamped;
}

/// Row and column sweeps among `sweeps` (damped: updates are both).
struct SweepCounts {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
};
SweepCounts sweep_counts(const SinkhornScale& operation, std::int64_t sweeps) {
  if (damped(operation)) return {sweeps, sweeps};
  return {sweeps - sweeps / 2, sweeps / 2};
}

SinkhornCycles operator*(SinkhornCycles cycles, std::int64_t times) {
  return {cycles.cycles * times, cycles.conflicts * times};
}

std::int64_t word_beats(const SinkhornConfig& config, const SinkhornScale& operation, int each,
                        int matrices) {
  return ceil_div(std::int64_t{each} * matrices, sinkhorn_word_cut(config, operation, each).beat);
}

/// The cost of a block of so many matrices, from its first input beat to its last
/// output slot: once, and per sweep of each side.
struct BlockCosts {
  int matrices = 0;
  SinkhornCycles once;
  SinkhornCycles rows;
  SinkhornCycles columns;
};

BlockCosts block_costs(const SinkhornConfig& config, const SinkhornScale& operation, int matrices) {
  const SinkhornLayout layout(config, operation.rows, operation.columns, matrices);
  BlockCosts costs;
  costs.matrices = matrices;
  costs.once = layout.beats(sinkhorn_element_cut(config, operation, matrices));
  const auto words = [&](int each) {
    return layout.words(sinkhorn_word_cut(config, operation, each), each);
  };
  SinkhornCycles scalings = words(operation.rows);
  scalings += words(operation.columns);
  if (operation.warm) costs.once += scalings;
  costs.once.cycles += kTiming.load_latency;
  costs.once += sinkhorn_conversion_cycles(operation, layout);
  costs.once += words(1);
  if (operation.form != SinkhornForm::kMatrix) costs.once += scalings;
  if (operation.kernel_wanted)
    costs.once += layout.beats(sinkhorn_kernel_cut(config, operation, matrices));
  costs.rows = sinkhorn_sweep_cycles(operation, layout, SinkhornSide::kRows);
  costs.columns = sinkhorn_sweep_cycles(operation, layout, SinkhornSide::kColumns);
  return costs;
}

/// One pass over a streamed matrix, from its first beat to the cycle that knows
/// whether there is another.
SinkhornCycles pass_cycles(const SinkhornConfig& config, const SinkhornScale& operation, bool rows,
                           bool columns) {
  std::int64_t loaded = operation.warm ? ceil_div(operation.rows, config.lanes) +
                                             ceil_div(operation.columns, config.lanes)
                                       : 0;
  std::int64_t summed = 0;
  std::int64_t drained = 0;
  std::int64_t free_at[2] = {0, 0};
  std::int64_t conflicts = 0;
  int buffer = 0;
  for (const SinkhornChunk& chunk : sinkhorn_chunks(config, operation)) {
    const SinkhornLayout layout(config, chunk.rows, chunk.columns, 1);
    const SinkhornCycles beats = layout.beats({chunk.columns, config.lanes});
    loaded = std::max(loaded, free_at[buffer]) + beats.cycles;
    summed = std::max(loaded + kTiming.load_latency, summed);
    SinkhornCycles steps;
    if (rows) {
      steps += layout.pass(SinkhornSide::kRows);
      summed += steps.cycles;
      if (chunk.ends_rows) {
        summed = std::max(summed, drained);
        drained = summed + ceil_div(chunk.rows, config.log_units);
      }
    }
    if (columns) {
      const SinkhornCycles column_steps = layout.pass(SinkhornSide::kColumns);
      summed += column_steps.cycles;
      steps += column_steps;
    }
    free_at[buffer] = summed;
    buffer = 1 - buffer;
    conflicts += beats.conflicts + steps.conflicts;
  }
  if (columns) drained = sinkhorn_fold_end(config, operation, summed, drained);
  return {drained + kTiming.sweep_latency, conflicts};
}

/// All of a scale command but its acceptance and the way of its last beat.
SinkhornCycles scale_cycles(const SinkhornConfig& config, const SinkhornScale& operation,
                            const CommandCourse& course) {
  SinkhornCycles result;
  if (!resident(config, operation)) {
    const SweepCounts counts = sweep_counts(operation, course.input_passes);
    if (damped(operation)) {
      result += pass_cycles(config, operation, true, true) * counts.rows;
    } else {
      result += pass_cycles(config, operation, true, false) * counts.rows;
      if (counts.columns > 0)
        result += pass_cycles(config, operation, false, true) * counts.columns;
    }
    result.cycles += word_beats(config, operation, operation.rows, 1) +
                     word_beats(config, operation, operation.columns, 1) + 1;
    return result;
  }
  const int block = block_matrices(config, operation);
  BlockCosts costs;
  int first = 0;
  for (const std::int64_t sweeps : course.block_sweeps) {
    const int matrices = std::min(block, operation.batch - first);
    if (matrices != costs.matrices) costs = block_costs(config, operation, matrices);
    const SweepCounts counts = sweep_counts(operation, sweeps);
    result += costs.once;
    result += costs.rows * counts.rows;
    result += costs.columns * counts.columns;
    first += block;
  }
  return result;
}

std::int64_t apply_slots(const SinkhornConfig& config, const SinkhornApply& operation) {
  const std::int64_t beats = ceil_div(operation.columns, config.lanes);
  const std::int64_t groups = ceil_div(operation.value_width, config.value_columns);
  std::int64_t slots = operation.rows * beats * std::max<std::int64_t>(1, groups);
  slots += groups * operation.columns;  // V.
  if (operation.from == SinkhornSource::kElements)
    slots += beats + ceil_div(operation.rows, config.lanes);
  // A row of K and its out leave one after the other.
  if (operation.kernel_wanted && groups > 0) slots += operation.rows;
  return slots;
}

// --- activity -------------------------------------------------------------------

/// Adds what `sweeps.rows` and `sweeps.columns` sweeps over `matrices` matrices
/// do.
void add_sweeps(Activity& activity, const SinkhornConfig& config, const SinkhornScale& operation,
                std::int64_t matrices, const SweepCounts& sweeps) {
  const std::int64_t all = sweeps.rows + sweeps.columns;
  const std::int64_t rows = operation.rows;
  const std::int64_t columns = operation.columns;
  const std::int64_t seen_columns = operation.causal ? std::min(rows, columns) : columns;
  const std::int64_t elements = matrices * all * rows * columns;
  const std::int64_t visible =
      matrices * all * sinkhorn_visible(rows, columns, operation.causal, 0);
  const std::int64_t lines = matrices * (sweeps.rows * rows + sweeps.columns * seen_columns);
  activity.reciprocals += lines;
  activity.local_write_bytes += 4 * lines;
  activity.local_read_bytes += 4 * lines;  // The old scaling; kMatrix: the reciprocal.
  // Every step reads the other side's scaling, once per matrix.
  const std::int64_t steps = matrices * (sweeps.rows * ceil_div(rows, config.lanes) * columns +
                                         sweeps.columns * ceil_div(columns, config.lanes) * rows);
  switch (operation.form) {
    case SinkhornForm::kScaling:
      activity.exponentials += visible;
      activity.additions += 2 * visible;  // Logit and scaling; the sum.
      activity.local_read_bytes += 2 * elements + 4 * steps;
      break;
    case SinkhornForm::kKernel:
      activity.macs_dynamic += visible;
      activity.macs_wide += visible;
      activity.multiplies += matrices * sweeps.columns * seen_columns;  // m / n.
      activity.local_read_bytes += 4 * elements + 4 * steps;
      break;
    case SinkhornForm::kMatrix:
      activity.additions += visible;
      activity.multiplies += visible + matrices * sweeps.columns * seen_columns;
      activity.local_read_bytes += 8 * elements;
      activity.local_write_bytes += 4 * elements;
      break;
  }
}

/// Elements into the tile memory, `passes` times; held K out of them once.
void add_loads(Activity& activity, const SinkhornScale& operation, std::int64_t passes) {
  const std::int64_t elements = std::int64_t{operation.batch} * operation.rows * operation.columns;
  const std::int64_t visible =
      operation.batch * sinkhorn_visible(operation.rows, operation.columns, operation.causal, 0);
  const std::int64_t scalings =
      std::int64_t{operation.batch} * (operation.rows + operation.columns);
  activity.multiplies += passes * visible;
  if (operation.warm) activity.local_write_bytes += 4 * scalings;
  if (operation.form != SinkhornForm::kMatrix) activity.local_read_bytes += 4 * scalings;  // Out.
  if (operation.form == SinkhornForm::kScaling) {
    activity.local_write_bytes += 2 * passes * elements;
    if (!operation.kernel_wanted) return;
    // A logit and both scalings for every element of K that leaves.
    activity.exponentials += visible;
    activity.additions += 2 * visible;
    activity.local_read_bytes += 2 * elements + 8 * elements;
    return;
  }
  activity.compares += visible;
  activity.exponentials += visible;
  activity.local_write_bytes += 8 * elements;  // Logits, then K.
  activity.local_read_bytes += 8 * elements;   // Conversion, output.
  // An element that leaves needs both of its scalings.
  if (operation.form == SinkhornForm::kKernel) activity.local_read_bytes += 8 * elements;
  if (operation.form == SinkhornForm::kKernel) activity.multiplies += 2 * visible;
}

Activity scale_activity(const SinkhornConfig& config, const SinkhornScale& operation,
                        const CommandCourse& course) {
  Activity activity;
  activity.local_conflict_cycles = scale_cycles(config, operation, course).conflicts;
  add_loads(activity, operation, course.input_passes);
  if (!resident(config, operation)) {
    const SweepCounts counts = sweep_counts(operation, course.input_passes);
    add_sweeps(activity, config, operation, 1, counts);
    // Running sums of the columns: 8 bytes, in and out per `lanes` rows.
    const std::int64_t sums =
        8 * counts.columns * ceil_div(operation.rows, config.lanes) * operation.columns;
    activity.local_read_bytes += sums;
    activity.local_write_bytes += sums;
    return activity;
  }
  const int block = block_matrices(config, operation);
  int first = 0;
  for (const std::int64_t sweeps : course.block_sweeps) {
    add_sweeps(activity, config, operation, std::min(block, operation.batch - first),
               sweep_counts(operation, sweeps));
    first += block;
  }
  return activity;
}

Activity apply_activity(const SinkhornConfig& config, const SinkhornApply& operation) {
  Activity activity;
  const std::int64_t rows = operation.rows;
  const std::int64_t columns = operation.columns;
  const std::int64_t width = operation.value_width;
  const std::int64_t groups = ceil_div(width, config.value_columns);
  const std::int64_t passes = std::max<std::int64_t>(1, groups);
  const std::int64_t visible =
      sinkhorn_visible(rows, columns, operation.causal, operation.first_row);
  const std::int64_t executed =
      rows * ceil_div(columns, config.lanes) * config.lanes * groups * config.value_columns;
  activity.macs_dynamic = activity.macs_wide = visible * width;
  activity.macs_wasted = executed - activity.macs_dynamic;
  activity.requantises = rows * width;
  activity.local_write_bytes = columns * width * operation.value_bytes;
  activity.local_read_bytes = rows * columns * width * operation.value_bytes;
  if (operation.from == SinkhornSource::kKernel) return activity;
  activity.multiplies = activity.exponentials = passes * visible;
  activity.additions = 2 * passes * visible;  // A logit and both scalings.
  activity.local_write_bytes += 4 * (rows + columns);
  activity.local_read_bytes += 4 * passes * rows * (1 + columns);
  return activity;
}

// --- data -------------------------------------------------------------------------

std::int32_t read_element(const std::uint8_t* bytes, int element_bytes) {
  if (element_bytes == 4) {
    std::int32_t word = 0;
    std::memcpy(&word, bytes, 4);
    return word;
  }
  if (element_bytes == 1) return static_cast<std::int8_t>(*bytes);
  std::int16_t half = 0;
  std::memcpy(&half, bytes, 2);
  return half;
}

/// Matrices `first` .. of the batch into a block.
void load_block(const SinkhornScale& operation, Bytes scratchpad, int first, int matrices,
                SinkhornBlock& block, std::int64_t& saturated) {
  const std::int64_t elements = std::int64_t{operation.rows} * operation.columns;
  const auto row_bytes = static_cast<std::uint64_t>(operation.columns) *
                         static_cast<std::uint64_t>(operation.element_bytes);
  for (int matrix = 0; matrix < matrices; ++matrix) {
    for (int row = 0; row < operation.rows; ++row) {
      const std::uint8_t* source = scratchpad.read(
          offset(operation.source, (first + matrix) * operation.matrix_stride_bytes +
                                       row * operation.source_pitch_bytes),
          row_bytes);
      std::int64_t position = matrix * elements + std::int64_t{row} * operation.columns;
      for (int column = 0; column < operation.columns; ++column, ++position) {
        std::int64_t masked = 0;
        const std::int32_t code = read_element(
            source + std::int64_t{column} * operation.element_bytes, operation.element_bytes);
        block.set_logit(position,
                        sinkhorn_logit(code, operation.factor,
                                       operation.causal && column > row ? masked : saturated));
      }
    }
  }
  const auto warm = [&](SinkhornSide side, std::uint64_t address, std::int64_t lines) {
    for (std::int64_t k = 0; k < lines * matrices; ++k)
      block.set_scaling(side, k, scratchpad.read_i32(offset(address, 4 * (lines * first + k))));
  };
  if (operation.warm) {
    warm(SinkhornSide::kRows, operation.warm_rows, operation.rows);
    warm(SinkhornSide::kColumns, operation.warm_columns, operation.columns);
  }
  block.loaded();
}

void store_block(const SinkhornScale& operation, Bytes scratchpad, int first, int matrices,
                 const SinkhornBlock& block, std::int64_t& saturated) {
  const auto store = [&](SinkhornSide side, std::uint64_t address, std::int64_t lines) {
    for (std::int64_t k = 0; k < lines * matrices; ++k)
      scratchpad.write_i32(offset(address, 4 * (lines * first + k)), block.scaling(side, k));
  };
  if (operation.form != SinkhornForm::kMatrix) {
    store(SinkhornSide::kRows, operation.row_scalings, operation.rows);
    store(SinkhornSide::kColumns, operation.column_scalings, operation.columns);
  }
  for (int matrix = 0; matrix < matrices; ++matrix)
    scratchpad.write_i32(offset(operation.counts, std::int64_t{4} * (first + matrix)),
                         block.progress().half_steps(matrix));
  if (!operation.kernel_wanted) return;
  std::int64_t position = 0;
  for (int matrix = 0; matrix < matrices; ++matrix) {
    for (int row = 0; row < operation.rows; ++row) {
      for (int column = 0; column < operation.columns; ++column, ++position)
        scratchpad.write_i32(
            offset(operation.kernel, (first + matrix) * operation.kernel_stride_bytes +
                                         row * operation.kernel_pitch_bytes +
                                         std::int64_t{4} * column),
            block.kernel(position, saturated));
    }
  }
}

/// The input of a matrix that the tile memory does not hold comes by once more. Its
/// values are the block's already.
void stream_again(const SinkhornScale& operation, const Bytes& scratchpad) {
  scratchpad.read_rows(operation.source, static_cast<std::uint64_t>(operation.rows),
                       static_cast<std::uint64_t>(operation.columns) *
                           static_cast<std::uint64_t>(operation.element_bytes),
                       static_cast<std::uint64_t>(operation.source_pitch_bytes));
  if (!operation.warm) return;
  scratchpad.read(operation.warm_rows, 4 * static_cast<std::uint64_t>(operation.rows));
  scratchpad.read(operation.warm_columns, 4 * static_cast<std::uint64_t>(operation.columns));
}

CommandCourse execute_scale(const SinkhornConfig& config, const SinkhornScale& operation,
                            Bytes scratchpad, std::int64_t& saturated) {
  CommandCourse course;
  const int most = block_matrices(config, operation);
  for (int first = 0; first < operation.batch; first += most) {
    const int matrices = std::min(most, operation.batch - first);
    const auto block = make_sinkhorn_block(operation, matrices);
    load_block(operation, scratchpad, first, matrices, *block, saturated);
    if (resident(config, operation)) {
      while (!block->progress().done()) block->sweep();
    } else {
      // The matrix streams by in every sweep. The first one's pass is the load's.
      block->sweep();
      for (; !block->progress().done(); block->sweep()) stream_again(operation, scratchpad);
    }
    store_block(operation, scratchpad, first, matrices, *block, saturated);
    saturated += block->saturated();
    block->progress().join(course);
  }
  if (!resident(config, operation)) course.input_passes = course.block_sweeps.front();
  return course;
}

QUADRILLE_MULTIVERSION
void add_products(std::int64_t k, const std::int32_t* values, std::int64_t* sums, int count) {
  for (int c = 0; c < count; ++c) sums[c] += k * values[c];
}

/// V as [column of K][column of V].
std::vector<std::int32_t> read_values(const SinkhornApply& operation, Bytes scratchpad) {
  const auto width = static_cast<std::size_t>(operation.value_width);
  const auto value_bytes = static_cast<std::size_t>(operation.value_bytes);
  std::vector<std::int32_t> values;
  for (int j = 0; width > 0 && j < operation.columns; ++j) {
    const std::uint8_t* row = scratchpad.read(
        offset(operation.values, j * operation.value_pitch_bytes), width * value_bytes);
    for (std::size_t c = 0; c < width; ++c)
      values.push_back(read_element(row + c * value_bytes, operation.value_bytes));
  }
  return values;
}

/// The scalings that come in front of the elements; none with K.
std::vector<std::int32_t> read_column_scalings(const SinkhornApply& operation,
                                               const Bytes& scratchpad) {
  std::vector<std::int32_t> scalings;
  if (operation.from != SinkhornSource::kElements) return scalings;
  for (std::uint64_t j = 0; j < static_cast<std::uint64_t>(operation.columns); ++j)
    scalings.push_back(scratchpad.read_i32(operation.column_scalings + 4 * j));
  return scalings;
}

/// Row i of K, zero where it is masked.
void make_kernel_row(const SinkhornApply& operation, const Bytes& scratchpad,
                     const std::vector<std::int32_t>& column_scalings, int i,
                     std::vector<std::int32_t>& row, std::int64_t& saturated) {
  const auto element_bytes = static_cast<std::size_t>(operation.element_bytes);
  const std::uint8_t* source = scratchpad.read(
      offset(operation.source, i * operation.source_pitch_bytes), row.size() * element_bytes);
  const bool elements = operation.from == SinkhornSource::kElements;
  const std::int64_t unit = std::int64_t{1}
                            << (model::kLogFractionBits - operation.logit_fraction_bits);
  const std::int64_t f =
      elements ? scratchpad.read_i32(offset(operation.row_scalings, std::int64_t{4} * i)) : 0;
  for (std::size_t j = 0; j < row.size(); ++j) {
    row[j] = 0;
    if (operation.causal && static_cast<std::int64_t>(j) > std::int64_t{operation.first_row} + i)
      break;
    row[j] = read_element(source + j * element_bytes, operation.element_bytes);
    if (!elements) continue;
    std::int64_t counted_by_scale = 0;
    const std::int64_t logit = sinkhorn_logit(row[j], operation.factor, counted_by_scale);
    const std::int64_t g = column_scalings[j];
    row[j] = static_cast<std::int32_t>(
        model::power_code(logit * unit + f + g, model::kKernelFractionBits, saturated));
  }
}

void execute_apply(const SinkhornConfig& config, const SinkhornApply& operation,
                   const Bytes& scratchpad, std::int64_t& saturated) {
  const auto width = static_cast<std::size_t>(operation.value_width);
  const std::vector<std::int32_t> values = read_values(operation, scratchpad);
  const std::vector<std::int32_t> column_scalings = read_column_scalings(operation, scratchpad);
  // The elements come by once for each group of value columns; here all groups are
  // made of the first pass.
  for (int column = config.value_columns; column < operation.value_width;
       column += config.value_columns) {
    scratchpad.read_rows(operation.source, static_cast<std::uint64_t>(operation.rows),
                         static_cast<std::uint64_t>(operation.columns) *
                             static_cast<std::uint64_t>(operation.element_bytes),
                         static_cast<std::uint64_t>(operation.source_pitch_bytes));
  }
  for (int i = 0; i < operation.rows; ++i) {
    std::vector<std::int32_t> row(static_cast<std::size_t>(operation.columns));
    make_kernel_row(operation, scratchpad, column_scalings, i, row, saturated);
    std::vector<std::int64_t> sums(width);
    for (std::size_t j = 0; j < row.size(); ++j) {
      if (operation.kernel_wanted)
        scratchpad.write_i32(offset(operation.kernel, i * operation.kernel_pitch_bytes) + 4 * j,
                             row[j]);
      if (row[j] != 0 && width > 0)
        add_products(row[j], &values[j * width], sums.data(), operation.value_width);
    }
    for (std::size_t c = 0; c < width; ++c) {
      const std::int64_t rounded = model::round_shift(
          sums[c], model::kKernelFractionBits - model::kSinkhornOutputFractionBits);
      const std::int64_t out = model::saturate(rounded, 32);
      saturated += out != rounded ? 1 : 0;
      scratchpad.write_i32(
          offset(operation.destination, i * operation.destination_pitch_bytes) + 4 * c,
          static_cast<std::int32_t>(out));
    }
  }
}

}  // namespace

SinkhornEngine::SinkhornEngine(const SinkhornConfig& config) : config_(config) { validate(config); }

CommandCourse SinkhornEngine::course(const SinkhornOperation& operation) const {
  CommandCourse course;
  const auto* scale = std::get_if<SinkhornScale>(&operation);
  if (scale == nullptr) return course;
  validate(config_, *scale);
  const std::int64_t sweeps = std::int64_t{scale->half_steps} + (scale->verify ? 1 : 0);
  const std::int64_t blocks = ceil_div(scale->batch, block_matrices(config_, *scale));
  course.block_sweeps.assign(static_cast<std::size_t>(blocks), sweeps);
  course.half_steps = scale->half_steps;
  if (!resident(config_, *scale)) course.input_passes = sweeps;
  return course;
}

std::int64_t SinkhornEngine::alone_cycles(const SinkhornOperation& operation,
                                          const CommandCourse& course) const {
  if (const auto* scale = std::get_if<SinkhornScale>(&operation)) {
    validate(config_, *scale);
    return 1 + scale_cycles(config_, *scale, course).cycles + sinkhorn_output_latency(*scale);
  }
  const auto& apply = std::get<SinkhornApply>(operation);
  validate(config_, apply);
  return apply_slots(config_, apply) + kTiming.apply_latency + 1;
}

Activity SinkhornEngine::activity(const SinkhornOperation& operation,
                                  const CommandCourse& course) const {
  if (const auto* scale = std::get_if<SinkhornScale>(&operation))
    return scale_activity(config_, *scale, course);
  return apply_activity(config_, std::get<SinkhornApply>(operation));
}

CommandCourse SinkhornEngine::execute(const SinkhornOperation& operation, Bytes scratchpad,
                                      Activity& values) const {
  if (const auto* scale = std::get_if<SinkhornScale>(&operation)) {
    validate(config_, *scale);
    return execute_scale(config_, *scale, scratchpad, values.saturated);
  }
  const auto& apply = std::get<SinkhornApply>(operation);
  validate(config_, apply);
  execute_apply(config_, apply, scratchpad, values.saturated);
  return {};
}

}  // namespace quadrille::hw
