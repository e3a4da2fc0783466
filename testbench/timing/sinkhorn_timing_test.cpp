// The Sinkhorn unit's timing contract: closed forms from shapes and lanes, held
// against alone_cycles and the beat body.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "hw/engines/sinkhorn/sinkhorn_engine.h"
#include "testbench/common/drive.h"

namespace quadrille {
namespace {

using namespace hw;
using model::SinkhornForm;
using model::SinkhornUpdate;

// Load, sweep, scaling pass, output and apply pipelines (docs/engines/sinkhorn.md).
constexpr std::int64_t kLoad = 3, kSweep = 19, kMaximum = 3, kScale = 6, kOutput = 11,
                       kHeldOutput = 13, kApply = 16;

std::int64_t up(std::int64_t a, std::int64_t b) { return a / b + (a % b != 0 ? 1 : 0); }

/// Cycles of the engine alone, after the beat body agreed with them.
std::int64_t cycles_of(const SinkhornConfig& config, const SinkhornOperation& operation,
                       std::size_t memory_bytes) {
  const SinkhornEngine engine(config);
  const CommandCourse course = engine.course(operation);
  const std::int64_t alone = engine.alone_cycles(operation, course);
  std::vector<std::uint8_t> memory(memory_bytes);
  auto body = make_sinkhorn_beat_body(config, nullptr);
  const auto streams = std::visit(
      [&](const auto& o) { return std::pair(input_stream(config, o), output_stream(config, o)); },
      operation);
  EXPECT_EQ(testbench::drive(*body, operation, streams.first, streams.second,
                             Bytes(memory.data(), memory.size())),
            alone);
  EXPECT_EQ(body->course()->input_passes, course.input_passes);
  EXPECT_EQ(body->course()->block_sweeps, course.block_sweeps);
  return alone;
}

constexpr std::uint64_t kElements = 0, kScalings = 4 << 20, kKernelAt = 5 << 20;
constexpr std::size_t kMemory = 6 << 20;

/// Rows far apart: every beat lies in one row.
SinkhornScale scale_of(int rows, int columns) {
  SinkhornScale o;
  o.rows = rows;
  o.columns = columns;
  o.source = kElements;
  o.source_pitch_bytes = up(2 * columns, 256) * 256 + 256;
  o.matrix_stride_bytes = rows * o.source_pitch_bytes;
  o.row_scalings = kScalings;
  o.column_scalings = kScalings + (1 << 17);
  o.counts = kScalings + (1 << 18);
  o.warm_rows = kScalings + (1 << 19);
  o.warm_columns = o.warm_rows + (1 << 17);
  o.kernel = kKernelAt;
  o.kernel_pitch_bytes = up(4 * columns, 256) * 256 + 256;
  o.kernel_stride_bytes = rows * o.kernel_pitch_bytes;
  return o;
}

/// The sums of one sweep: `lines` lines of `steps` elements, lanes of them at a time.
std::int64_t sums(const SinkhornConfig& config, int lines, int steps, bool conflict) {
  const std::int64_t groups = up(lines, config.lanes);
  const std::int64_t last = lines - (groups - 1) * config.lanes;
  const std::int64_t drain = up(config.lanes, config.log_units);
  std::int64_t cycles = up(last, config.log_units);
  if (groups == 1) return steps * (conflict ? last : 1) + cycles;
  const std::int64_t full = std::int64_t{steps} * (conflict ? config.lanes : 1);
  cycles += full + (groups - 2) * std::max(full, drain);
  return cycles + std::max(steps * (conflict ? last : 1), drain);
}

TEST(SinkhornTiming, ResidentMatrixEqualsTheClosedForm) {
  int compared = 0;
  for (const int lanes : {4, 32}) {
    for (const auto& [rows, columns] : {std::pair{40, 40}, {64, 33}, {33, 70}, {100, 3}, {3, 90}}) {
      for (const int log_units : {1, 4}) {
        for (const bool skewed : {true, false}) {
          for (const int half_steps : {1, 2, 7}) {
            for (const bool warm : {false, true}) {
              SinkhornConfig config;
              config.lanes = lanes;
              config.log_units = log_units;
              config.skewed = skewed;
              SinkhornScale o = scale_of(rows, columns);
              o.half_steps = half_steps;
              o.warm = warm;
              o.causal = half_steps == 7;  // Costs nothing and saves nothing.
              // A column's neighbours share a bank without the skew, a row's do
              // not.
              const std::int64_t row_sweep = sums(config, rows, columns, !skewed) + kSweep;
              const std::int64_t column_sweep = sums(config, columns, rows, false) + kSweep;
              const std::int64_t scalings = up(rows, lanes) + up(columns, lanes);
              const std::int64_t expected = 1 + (warm ? scalings : 0) + rows * up(columns, lanes) +
                                            kLoad + (half_steps + 1) / 2 * row_sweep +
                                            half_steps / 2 * column_sweep + scalings + 1 + kOutput;
              EXPECT_EQ(cycles_of(config, o, kMemory), expected)
                  << lanes << " lanes, " << log_units << " log units, skewed " << skewed << ", "
                  << rows << " x " << columns << ", half-steps " << half_steps;
              // Damped: both sides per update; a verifying sweep costs as much.
              o.update = SinkhornUpdate::kDamped;
              o.verify = true;
              EXPECT_EQ(cycles_of(config, o, kMemory),
                        expected + (half_steps + 1 - (half_steps + 1) / 2) * row_sweep +
                            (half_steps + 1 - half_steps / 2) * column_sweep);
              compared += 2;
            }
          }
        }
      }
    }
  }
  EXPECT_EQ(compared, 2 * 5 * 2 * 2 * 3 * 2 * 2);
}

TEST(SinkhornTiming, HeldFormsPayForConversionAndWriting) {
  for (const bool skewed : {true, false}) {
    SinkhornConfig config;
    config.skewed = skewed;
    const int n = 64;
    SinkhornScale o = scale_of(n, n);
    o.half_steps = 5;
    const std::int64_t row_step = skewed ? 1 : config.lanes;
    const std::int64_t rows = sums(config, n, n, !skewed) + kSweep;
    const std::int64_t columns = sums(config, n, n, false) + kSweep;
    const std::int64_t groups = 2;
    const std::int64_t pass = 2 * groups * n + kScale;  // Read, write: by columns.
    const std::int64_t around = 1 + n * 2 + kLoad + kMaximum + pass + 1 + n * 2 + kHeldOutput;
    o.form = SinkhornForm::kKernel;
    o.kernel_wanted = true;
    EXPECT_EQ(cycles_of(config, o, kMemory), around + 4 + 3 * rows + 2 * columns);
    o.form = SinkhornForm::kMatrix;  // No scalings to give.
    EXPECT_EQ(cycles_of(config, o, kMemory), around + 3 * (rows + pass) + 2 * (columns + pass));
    const SinkhornEngine engine(config);
    const Activity activity = engine.activity(o, engine.course(o));
    const std::int64_t row_conflicts = groups * n * (row_step - 1);
    EXPECT_EQ(activity.local_conflict_cycles, row_conflicts * 3);
    // n m words per half-step, n reciprocals, and the matrix twice before the first.
    EXPECT_EQ(activity.local_write_bytes, 4 * (5 * (n * n + n) + 2 * n * n));
  }
}

// 4 x 4 matrices on 32 lanes: eight side by side in a step; a flat beat brings
// eight rows, which go into the banks one by one.
TEST(SinkhornTiming, BatchOfTinyMatricesEqualsTheClosedForm) {
  for (const int log_units : {1, 4, 8, 32}) {
    for (const int batch : {1, 8, 9, 64, 1024, 1030}) {
      SinkhornConfig config;
      config.log_units = log_units;
      SinkhornScale o = scale_of(4, 4);
      o.source_pitch_bytes = 8;
      o.matrix_stride_bytes = 32;
      o.batch = batch;
      o.half_steps = 20;
      std::int64_t expected = 1 + kOutput;
      for (int left = batch; left > 0; left -= 1024) {
        const int matrices = std::min(left, 1024);
        const std::int64_t groups = up(matrices, 8);
        const std::int64_t last = 4 * (matrices - 8 * (groups - 1));
        const std::int64_t sweep = 4 + (groups - 1) * std::max<std::int64_t>(4, 32 / log_units) +
                                   up(last, log_units) + kSweep;
        expected += 4 * matrices + kLoad + 20 * sweep;
        expected += 2 * up(matrices, 8) + matrices;  // A count is in its matrix's lanes.
      }
      EXPECT_EQ(cycles_of(config, o, kMemory), expected)
          << batch << " matrices, " << log_units << " log units";
      // K leaves as it lies in the banks, four rows a matrix.
      o.kernel_wanted = true;
      o.kernel_pitch_bytes = 16;
      o.kernel_stride_bytes = 64;
      EXPECT_EQ(cycles_of(config, o, kMemory), expected + 4 * batch);
    }
  }
}

// docs/engines/sinkhorn.md quotes these, on the default engine.
TEST(SinkhornTiming, PublishedExamples) {
  SinkhornScale o = scale_of(128, 128);
  o.half_steps = 21;
  EXPECT_EQ(cycles_of({}, o, kMemory), 11771);
  o.form = SinkhornForm::kMatrix;
  o.kernel_wanted = true;
  EXPECT_THROW(cycles_of({}, o, kMemory), InvariantError);  // 16,384 words of 32 bits.
  o = scale_of(64, 64);
  o.half_steps = 21;
  EXPECT_EQ(cycles_of({}, o, kMemory), 3319);
  o.form = SinkhornForm::kKernel;
  o.kernel_wanted = true;
  EXPECT_EQ(cycles_of({}, o, kMemory), 3714);
  o.form = SinkhornForm::kMatrix;
  EXPECT_EQ(cycles_of({}, o, kMemory), 9212);
  o = scale_of(4, 4);
  o.source_pitch_bytes = 8;
  o.matrix_stride_bytes = 32;
  o.batch = 1024;
  o.half_steps = 20;
  EXPECT_EQ(cycles_of({}, o, kMemory), 16091);
  SinkhornConfig config;
  config.log_units = 4;
  EXPECT_EQ(cycles_of(config, o, kMemory), 26331);
  o = scale_of(1000, 1000);
  o.half_steps = 1;
  EXPECT_EQ(cycles_of({}, o, kMemory), 33259);
}

TEST(SinkhornTiming, StreamedMatrixEqualsTheClosedForm) {
  for (const int log_units : {1, 4}) {
    SinkhornConfig config;
    config.lanes = 8;
    config.tile_elements = 512;  // Chunks of 8 rows x 32 columns.
    config.log_units = log_units;
    for (const auto& [rows, columns] : {std::pair{16, 64}, {40, 96}, {64, 160}}) {
      for (const int passes : {1, 2, 5}) {
        for (const bool warm : {false, true}) {
          SinkhornScale o = scale_of(rows, columns);
          o.half_steps = passes;
          o.warm = warm;
          const std::int64_t scalings = rows / 8 + columns / 8;
          const std::int64_t chunks = std::int64_t{rows} / 8 * (columns / 32);
          const std::int64_t start = warm ? scalings : 0;
          // Two halves: chunk c loads when chunk c - 2 has been summed, and may be
          // summed kLoad later: that wait returns once every two chunks.
          const std::int64_t steps = (chunks + 1) * 32 + kLoad * ((chunks - 1) / 2 + 1);
          const std::int64_t row_pass = start + steps + up(8, log_units) + kSweep;
          // A cycle to fetch the first word of column sums, the others meanwhile.
          const std::int64_t fold = 1 + columns / 8 * up(8, log_units);
          const std::int64_t column_pass = start + steps + fold + kSweep;
          const std::int64_t around = 1 + scalings + 1 + kOutput;
          EXPECT_EQ(cycles_of(config, o, kMemory),
                    around + (passes + 1) / 2 * row_pass + passes / 2 * column_pass)
              << rows << " x " << columns << ", passes " << passes;
          o.update = SinkhornUpdate::kDamped;
          const std::int64_t update = start + 32 + kLoad + chunks * 64 + fold + kSweep;
          EXPECT_EQ(cycles_of(config, o, kMemory), around + passes * update);
        }
      }
    }
  }
}

TEST(SinkhornTiming, ApplyEqualsTheClosedForm) {
  int compared = 0;
  for (const int lanes : {4, 32}) {
    for (const int rows : {1, 5, 33}) {
      for (const int columns : {1, 31, 65}) {
        for (const int width : {0, 1, 8, 20}) {
          for (const bool kernel : {false, true}) {
            for (const auto from : {SinkhornSource::kElements, SinkhornSource::kKernel}) {
              if (width == 0 && !kernel) continue;
              SinkhornConfig config;
              config.lanes = lanes;
              config.log_units = 4;
              config.value_columns = 8;
              SinkhornApply o;
              o.rows = rows;
              o.columns = columns;
              o.from = from;
              o.element_bytes = from == SinkhornSource::kKernel ? 4 : 2;
              o.source_pitch_bytes = o.kernel_pitch_bytes = 512;
              o.row_scalings = kScalings;
              o.column_scalings = kScalings + 4096;
              o.kernel_wanted = kernel;
              o.kernel = kKernelAt;
              o.value_width = width;
              o.values = kScalings + (1 << 16);
              o.value_pitch_bytes = o.destination_pitch_bytes = 256;
              o.destination = kKernelAt + (1 << 18);
              const std::int64_t groups = up(width, 8);
              const std::int64_t scalings =
                  from == SinkhornSource::kElements ? up(rows, lanes) + up(columns, lanes) : 0;
              const std::int64_t beats = rows * up(columns, lanes);
              // An out behind its row's K takes a slot of its own.
              const std::int64_t expected = scalings + groups * columns +
                                            std::max<std::int64_t>(1, groups) * beats +
                                            (kernel && width > 0 ? rows : 0) + kApply + 1;
              EXPECT_EQ(cycles_of(config, o, kMemory), expected)
                  << lanes << " lanes, " << rows << " x " << columns << ", V " << width;
              ++compared;
            }
          }
        }
      }
    }
  }
  EXPECT_EQ(compared, 2 * 3 * 3 * 7 * 2);
}

}  // namespace
}  // namespace quadrille
