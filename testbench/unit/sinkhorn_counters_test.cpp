// Question: does the Sinkhorn unit count what a walk over every access that
// docs/engines/sinkhorn.md describes ("Microarchitecture", "Counters") counts:
// sweep by sweep, group by group, step by step, lane by lane, one count at a
// time?
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "hw/engines/sinkhorn/sinkhorn_engine.h"
#include "testbench/common/environment.h"
#include "testbench/common/sinkhorn_case.h"

namespace quadrille {
namespace {

using namespace hw;
using namespace testbench;
using model::SinkhornForm;
using model::SinkhornUpdate;
using Random = std::mt19937_64;

// Bytes of the memories' words.
constexpr int kLogitWord = 2, kHeldWord = 4, kScalingWord = 4, kColumnSumWord = 8;

/// Lanes as (matrix, line) and the steps they take together.
struct Group {
  std::vector<std::pair<int, int>> lanes;
  int steps = 0;
  int matrices = 0;  ///< Among the lanes.
};

/// "With s = max(n, m) <= lanes, floor(lanes / s) matrices lie side by side; else
/// the lines are taken in groups."
std::vector<Group> groups_of(int lanes, int lines, int steps, int matrices) {
  std::vector<Group> groups;
  const int side = std::max(lines, steps);
  const int together = side <= lanes ? lanes / side : 1;
  for (int first = 0; first < matrices; first += together) {
    for (int line = 0; line < lines; line += lanes) {
      Group group;
      group.steps = steps;
      for (int matrix = first; matrix < std::min(first + together, matrices); ++matrix) {
        ++group.matrices;
        for (int k = line; k < std::min(line + lanes, lines); ++k)
          group.lanes.emplace_back(matrix, k);
      }
      groups.push_back(group);
    }
  }
  return groups;
}

/// Counts a scale command's accesses as the unit makes them.
class ScaleWalk {
 public:
  ScaleWalk(const SinkhornConfig& config, const SinkhornScale& operation)
      : lanes_(config.lanes),
        o_(operation),
        word_(operation.form == SinkhornForm::kScaling ? kLogitWord : kHeldWord) {}

  Activity resident(const std::vector<std::int64_t>& block_sweeps, int block) {
    int left = o_.batch;
    for (const std::int64_t sweeps : block_sweeps) {
      const int matrices = std::min(block, left);
      load_scalings(matrices);
      for_elements(matrices, [&](bool visible) { load_element(visible); });
      if (o_.form != SinkhornForm::kScaling) convert(matrices);
      for (std::int64_t sweep = 1; sweep <= sweeps; ++sweep) {
        if (sums_rows(sweep)) resident_sweep(true, matrices);
        if (sums_columns(sweep)) resident_sweep(false, matrices);
      }
      give_scalings(matrices);
      if (o_.kernel_wanted) for_elements(matrices, [&](bool visible) { give_element(visible); });
      left -= matrices;
    }
    EXPECT_EQ(left, 0);
    return counted_;
  }

  Activity streamed(std::int64_t passes, int chunk_columns) {
    load_scalings(1);  // All passes but the first ignore them.
    for (std::int64_t pass = 1; pass <= passes; ++pass) {
      for (int row = 0; row < o_.rows; row += lanes_) {
        for (int column = 0; column < o_.columns; column += chunk_columns)
          chunk(pass, row, std::min(lanes_, o_.rows - row), column,
                std::min(chunk_columns, o_.columns - column));
      }
      for (int i = 0; sums_rows(pass) && i < o_.rows; ++i) solve(true, i);
      for (int j = 0; sums_columns(pass) && j < o_.columns; ++j) solve(false, j);
    }
    give_scalings(1);
    return counted_;
  }

 private:
  bool visible(int row, int column) const { return !o_.causal || column <= row; }
  bool damped() const { return o_.update == SinkhornUpdate::kDamped; }
  bool sums_rows(std::int64_t sweep) const { return damped() || sweep % 2 == 1; }
  bool sums_columns(std::int64_t sweep) const { return damped() || sweep % 2 == 0; }
  void read(int bytes) { counted_.local_read_bytes += bytes; }
  void write(int bytes) { counted_.local_write_bytes += bytes; }

  template <typename Visit>
  void for_elements(int matrices, Visit visit) {
    for (int matrix = 0; matrix < matrices; ++matrix)
      for (int i = 0; i < o_.rows; ++i)
        for (int j = 0; j < o_.columns; ++j) visit(visible(i, j));
  }

  void load_scalings(int matrices) {
    if (!o_.warm) return;
    for (int k = 0; k < matrices * (o_.rows + o_.columns); ++k) write(kScalingWord);
  }
  void load_element(bool visible) {
    write(word_);
    if (!visible) return;
    ++counted_.multiplies;                                       // The factor.
    if (o_.form != SinkhornForm::kScaling) ++counted_.compares;  // The largest logit.
  }
  void give_scalings(int matrices) {
    if (o_.form == SinkhornForm::kMatrix) return;
    for (int k = 0; k < matrices * (o_.rows + o_.columns); ++k) read(kScalingWord);
  }
  void give_element(bool visible) {
    read(word_);
    if (o_.form == SinkhornForm::kScaling) {
      read(kScalingWord);
      read(kScalingWord);
      if (!visible) return;
      counted_.additions += 2;  // The row's scaling, the column's.
      ++counted_.exponentials;
    } else if (o_.form == SinkhornForm::kKernel) {
      read(kScalingWord);
      read(kScalingWord);
      counted_.multiplies += visible ? 2 : 0;
    }
  }

  /// K in place of every logit.
  void convert(int matrices) {
    for (const Group& group : groups_of(lanes_, o_.rows, o_.columns, matrices)) {
      for (int j = 0; j < group.steps; ++j) {
        for (const auto& [matrix, i] : group.lanes) {
          read(word_);
          if (visible(i, j)) ++counted_.exponentials;
          write(word_);
        }
      }
    }
  }

  void sum_element(bool visible) {
    read(word_);
    if (!visible) return;
    switch (o_.form) {
      case SinkhornForm::kScaling:
        ++counted_.additions;  // Logit and scaling.
        ++counted_.exponentials;
        ++counted_.additions;  // The sum.
        break;
      case SinkhornForm::kKernel:
        ++counted_.macs_dynamic;
        ++counted_.macs_wide;
        break;
      case SinkhornForm::kMatrix:
        ++counted_.additions;
        break;
    }
  }

  void sum_group(bool rows, const Group& group) {
    for (int step = 0; step < group.steps; ++step) {
      // The other side's scaling, one per matrix; kMatrix has them in its K.
      for (int m = 0; o_.form != SinkhornForm::kMatrix && m < group.matrices; ++m)
        read(kScalingWord);
      for (const auto& [matrix, line] : group.lanes)
        sum_element(rows ? visible(line, step) : visible(step, line));
    }
  }

  /// One line's sum through a log unit; nothing for a line that sees nothing.
  void solve(bool row, int line) {
    if (!row && o_.causal && line >= o_.rows) return;
    ++counted_.reciprocals;
    if (!row && o_.form != SinkhornForm::kScaling) ++counted_.multiplies;  // m / n.
    // The old scaling is read for the residual, the new one written; kMatrix
    // writes its reciprocal and reads it when it multiplies.
    read(kScalingWord);
    write(kScalingWord);
  }

  void resident_sweep(bool rows, int matrices) {
    const int lines = rows ? o_.rows : o_.columns;
    const int steps = rows ? o_.columns : o_.rows;
    const auto groups = groups_of(lanes_, lines, steps, matrices);
    for (const Group& group : groups) {
      sum_group(rows, group);
      for (const auto& [matrix, line] : group.lanes) solve(rows, line);
    }
    if (o_.form != SinkhornForm::kMatrix) return;
    for (const Group& group : groups) {
      for (int step = 0; step < group.steps; ++step) {
        for (const auto& [matrix, line] : group.lanes) {
          read(word_);
          if (rows ? visible(line, step) : visible(step, line)) ++counted_.multiplies;
          write(word_);
        }
      }
    }
  }

  /// Rows row .. and columns column .. of a streamed matrix.
  void chunk(std::int64_t pass, int row, int rows, int column, int columns) {
    for (int i = row; i < row + rows; ++i)
      for (int j = column; j < column + columns; ++j) load_element(visible(i, j));
    if (sums_rows(pass)) {
      Group group{{}, columns, 1};
      for (int i = row; i < row + rows; ++i) group.lanes.emplace_back(0, i);
      for (int j = column; j < column + columns; ++j) {
        read(kScalingWord);
        for (const auto& [matrix, i] : group.lanes) sum_element(visible(i, j));
      }
    }
    for (int first = column; sums_columns(pass) && first < column + columns; first += lanes_) {
      const int end = std::min(first + lanes_, column + columns);
      for (int j = first; j < end; ++j) read(kColumnSumWord);  // These sum the rows before.
      for (int i = row; i < row + rows; ++i) {
        read(kScalingWord);
        for (int j = first; j < end; ++j) sum_element(visible(i, j));
      }
      for (int j = first; j < end; ++j) write(kColumnSumWord);
    }
  }

  int lanes_;
  SinkhornScale o_;
  int word_;
  Activity counted_;
};

Activity walk_apply(const SinkhornConfig& config, const SinkhornApply& o) {
  Activity counted;
  const bool elements = o.from == SinkhornSource::kElements;
  for (int k = 0; elements && k < o.rows + o.columns; ++k)
    counted.local_write_bytes += kScalingWord;
  for (int first = 0; first == 0 || first < o.value_width; first += config.value_columns) {
    const int width = std::min(config.value_columns, o.value_width - first);
    for (int j = 0; j < o.columns; ++j)
      for (int c = 0; c < width; ++c) counted.local_write_bytes += o.value_bytes;
    for (int i = 0; i < o.rows; ++i) {
      if (elements) counted.local_read_bytes += kScalingWord;  // The row's.
      for (int beat = 0; beat < o.columns; beat += config.lanes) {
        for (int j = beat; j < beat + config.lanes; ++j) {
          const bool padding = j >= o.columns;
          const bool visible = !padding && (!o.causal || j <= o.first_row + i);
          if (elements && !padding) counted.local_read_bytes += kScalingWord;  // The column's.
          if (elements && visible) {
            ++counted.multiplies;
            counted.additions += 2;
            ++counted.exponentials;
          }
          for (int c = 0; width > 0 && c < config.value_columns; ++c) {
            if (!padding && c < width) counted.local_read_bytes += o.value_bytes;
            if (visible && c < width) {
              ++counted.macs_dynamic;
              ++counted.macs_wide;
            } else {
              ++counted.macs_wasted;
            }
          }
        }
      }
      for (int c = 0; c < width; ++c) ++counted.requantises;
    }
  }
  return counted;
}

void expect_equal(const Activity& engine, const Activity& walked) {
  EXPECT_EQ(engine.local_read_bytes, walked.local_read_bytes);
  EXPECT_EQ(engine.local_write_bytes, walked.local_write_bytes);
  EXPECT_EQ(engine.additions, walked.additions);
  EXPECT_EQ(engine.multiplies, walked.multiplies);
  EXPECT_EQ(engine.compares, walked.compares);
  EXPECT_EQ(engine.requantises, walked.requantises);
  EXPECT_EQ(engine.reciprocals, walked.reciprocals);
  EXPECT_EQ(engine.exponentials, walked.exponentials);
  EXPECT_EQ(engine.macs_dynamic, walked.macs_dynamic);
  EXPECT_EQ(engine.macs_wide, walked.macs_wide);
  EXPECT_EQ(engine.macs_wasted, walked.macs_wasted);
  EXPECT_EQ(engine.macs_static + engine.shift_adds + engine.leading_ones + engine.cim_bit_cycles,
            0);
}

/// A command without addresses; a streamed one where the tile memory is too small.
SinkhornScale random_scale(Random& random, const SinkhornConfig& config) {
  SinkhornScale o = random_scale_shape(random, config, 8, 50);
  const bool resident = sinkhorn_resident(config, o.rows, o.columns, o.form);
  o.batch = resident ? pick(random, 1, 7) : 1;
  o.half_steps = pick(random, 1, 6);
  o.verify = one_in(random, 3);
  o.source_pitch_bytes = 2 * o.columns;
  o.matrix_stride_bytes = o.rows * o.source_pitch_bytes;
  o.kernel_pitch_bytes = 4 * o.columns;
  o.kernel_stride_bytes = o.rows * o.kernel_pitch_bytes;
  return o;
}

TEST(SinkhornCounters, ScaleEqualsTheWalkOverItsAccesses) {
  const std::uint64_t seed = test_seed(20250711);
  Random random(seed);
  int scaling = 0, with_kernel = 0, kernel = 0, matrix = 0, streamed = 0, warm = 0, damped = 0;
  int streamed_columns = 0, blocks = 0;
  const int cases = 2000;
  for (int trial = 0; trial < cases; ++trial) {
    const SinkhornConfig config = random_sinkhorn_config(random);
    const SinkhornScale o = random_scale(random, config);
    SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed) + ", trial " + std::to_string(trial) +
                 ": " + std::to_string(config.lanes) + " lanes, batch " + std::to_string(o.batch) +
                 " of " + std::to_string(o.rows) + " x " + std::to_string(o.columns) + ", form " +
                 std::to_string(static_cast<int>(o.form)));
    const SinkhornEngine engine(config);
    const bool resident = sinkhorn_resident(config, o.rows, o.columns, o.form);
    const CommandCourse course = random_course(random, config, o);
    ScaleWalk walk(config, o);
    if (resident) {
      expect_equal(engine.activity(o, course),
                   walk.resident(course.block_sweeps,
                                 sinkhorn_block_matrices(config, o.rows, o.columns, o.form)));
    } else {
      // "W = tile_elements / 2 / lanes columns, rounded down to a multiple of lanes."
      const int columns = config.tile_elements / 2 / config.lanes / config.lanes * config.lanes;
      expect_equal(engine.activity(o, course), walk.streamed(course.input_passes, columns));
    }
    if (testing::Test::HasFailure()) return;
    const bool is_scaling = o.form == SinkhornForm::kScaling;
    scaling += is_scaling && resident && !o.kernel_wanted;
    with_kernel += is_scaling && resident && o.kernel_wanted;
    kernel += o.form == SinkhornForm::kKernel;
    matrix += o.form == SinkhornForm::kMatrix;
    streamed += !resident;
    streamed_columns += !resident && (course.input_passes > 1);
    warm += o.warm;
    damped += o.update == SinkhornUpdate::kDamped;
    blocks += course.block_sweeps.size() > 1;
  }
  for (const int count :
       {scaling, with_kernel, kernel, matrix, streamed, streamed_columns, warm, damped, blocks})
    EXPECT_GE(count, cases / 30);
}

TEST(SinkhornCounters, ApplyEqualsTheWalkOverItsAccesses) {
  const std::uint64_t seed = test_seed(20250712);
  Random random(seed);
  int elements = 0, several_groups = 0, without_v = 0;
  const int cases = 1500;
  for (int trial = 0; trial < cases; ++trial) {
    const SinkhornConfig config = random_sinkhorn_config(random);
    SinkhornApply o;
    o.rows = pick(random, 1, 20);
    o.columns = pick(random, 1, 50);
    o.first_row = one_in(random, 2) ? 0 : pick(random, 1, 60);
    o.causal = one_in(random, 2);
    o.from = one_in(random, 3) ? SinkhornSource::kKernel : SinkhornSource::kElements;
    o.element_bytes = o.from == SinkhornSource::kKernel || one_in(random, 2) ? 4 : 2;
    o.value_width = one_in(random, 5) ? 0 : pick(random, 1, 20);
    o.value_bytes = 1 << pick(random, 0, 2);
    o.kernel_wanted = o.value_width == 0 || one_in(random, 2);
    SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed) + ", trial " + std::to_string(trial) +
                 ": " + std::to_string(config.lanes) + " lanes, " + std::to_string(o.rows) +
                 " rows from " + std::to_string(o.first_row) + " x " + std::to_string(o.columns) +
                 ", V " + std::to_string(o.value_width) + " in " +
                 std::to_string(config.value_columns));
    expect_equal(SinkhornEngine(config).activity(o, {}), walk_apply(config, o));
    if (testing::Test::HasFailure()) return;
    elements += o.from == SinkhornSource::kElements;
    several_groups += o.value_width > config.value_columns;
    without_v += o.value_width == 0;
  }
  for (const int count : {elements, several_groups, without_v}) EXPECT_GE(count, cases / 20);
}

}  // namespace
}  // namespace quadrille
