// The Sinkhorn unit step by step: a brute-force simulation of what
// docs/engines/sinkhorn.md says under "Streams" and "Microarchitecture", against
// alone_cycles() and local_conflict_cycles. Tile and beat share the closed forms
// of a sweep, so that the two agree says little about them; nothing is shared here.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <set>
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

// Load, sweep, scaling pass and output pipelines (docs/engines/sinkhorn.md).
constexpr std::int64_t kLoad = 3, kSweep = 19, kMaximum = 3, kScale = 6, kOutput = 11,
                       kHeldOutput = 13;

/// Time spent, and how much of it lost to accesses that do not go together.
struct Spent {
  std::int64_t cycles = 0;
  std::int64_t conflicts = 0;

  void access(int needed) {
    cycles += needed;
    conflicts += needed - 1;
  }
  void operator+=(const Spent& other) {
    cycles += other.cycles;
    conflicts += other.conflicts;
  }
};

/// The line that a lane sums in a group.
struct Lane {
  int place = 0;  ///< Its matrix's place among those side by side.
  int line = 0;
};
using Lanes = std::vector<Lane>;

/// Matrices of one shape in the banks.
class Tile {
 public:
  Tile(const SinkhornConfig& config, int rows, int columns)
      : config_(config), rows_(rows), columns_(columns), stride_(std::max(rows, columns)) {}

  int side_by_side() const { return stride_ <= config_.lanes ? config_.lanes / stride_ : 1; }
  int bank(int place, int i, int j) const {
    return (place * stride_ + (config_.skewed ? i : 0) + j) % config_.lanes;
  }
  int steps(bool rows) const { return rows ? columns_ : rows_; }

  std::vector<Lanes> groups(bool rows, int matrices) const {
    const int lines = rows ? rows_ : columns_;
    std::vector<Lanes> groups;
    for (int first = 0; first < matrices; first += side_by_side()) {
      for (int line = 0; line < lines; line += config_.lanes) {
        groups.emplace_back();
        for (int matrix = first; matrix < std::min(first + side_by_side(), matrices); ++matrix)
          for (int k = line; k < std::min(line + config_.lanes, lines); ++k)
            groups.back().push_back({matrix - first, k});
        EXPECT_LE(groups.back().size(), static_cast<std::size_t>(config_.lanes));
      }
    }
    return groups;
  }

  /// Word of a line memory, and lane in it, of a line of a matrix.
  std::pair<int, int> line_place(int matrix, int line, int lines) const {
    const int lanes = config_.lanes;
    if (stride_ > lanes)
      return {matrix * ((lines + lanes - 1) / lanes) + line / lanes, line % lanes};
    return {matrix / side_by_side(), matrix % side_by_side() * stride_ + line};
  }
  /// Lanes from the group's first line to its last.
  int span(const Lanes& lanes) const {
    return lanes.back().place * stride_ + lanes.back().line - lanes.front().line + 1;
  }

  /// Cycles of one step: the fullest bank.
  int step(bool rows, const Lanes& lanes, int step) const {
    std::vector<int> wanted(static_cast<std::size_t>(config_.lanes));
    for (const Lane& lane : lanes) {
      const int place =
          rows ? bank(lane.place, lane.line, step) : bank(lane.place, step, lane.line);
      ++wanted[static_cast<std::size_t>(place)];
    }
    return *std::max_element(wanted.begin(), wanted.end());
  }

  /// All elements once, group by group.
  Spent pass(bool rows, int matrices) const {
    Spent spent;
    for (const Lanes& lanes : groups(rows, matrices))
      for (int s = 0; s < steps(rows); ++s) spent.access(step(rows, lanes, s));
    return spent;
  }

  /// Sums of all lines, cycle by cycle: the lanes take a step, the log units some
  /// of the lines that wait in the drain registers.
  Spent sums(bool rows, int matrices) const {
    const auto all = groups(rows, matrices);
    Spent spent;
    std::size_t group = 0;
    int at = 0, busy = 0, draining = 0;
    while (group < all.size() || draining > 0) {
      draining -= std::min(draining, config_.log_units);
      if (group < all.size() && at < steps(rows)) {
        const int needed = step(rows, all[group], at);
        spent.conflicts += busy > 0 ? 1 : 0;
        if (++busy == needed) {
          ++at;
          busy = 0;
        }
      }
      ++spent.cycles;
      if (group < all.size() && at == steps(rows) && draining == 0) {
        draining = span(all[group]);
        ++group;
        at = 0;
      }
    }
    return spent;
  }

 private:
  SinkhornConfig config_;
  int rows_;
  int columns_;
  int stride_;
};

class Simulator {
 public:
  Simulator(const SinkhornConfig& config, const SinkhornScale& operation)
      : config_(config), o_(operation), tile_(config, operation.rows, operation.columns) {}

  Spent resident(const std::vector<std::int64_t>& block_sweeps) {
    Spent spent;
    spent.cycles = 1 + (held() ? kHeldOutput : kOutput);
    int left = o_.batch;
    for (const std::int64_t sweeps : block_sweeps) {
      const int matrices = std::min(block(), left);
      spent += block_of(matrices, sweeps);
      left -= matrices;
    }
    EXPECT_EQ(left, 0);
    return spent;
  }

  Spent streamed(std::int64_t passes) const {
    Spent spent;
    spent.cycles = 1 + word_beats(o_.rows, 1) + word_beats(o_.columns, 1) + 1 + kOutput;
    for (std::int64_t sweep = 1; sweep <= passes; ++sweep) spent += pass(sweep);
    return spent;
  }

  /// A block has as many as the banks (and the scaling memories) hold, rounded so
  /// that blocks begin where a beat may.
  int block() const {
    const int words = config_.tile_elements / config_.lanes / (held() ? 2 : 1);
    const int s = std::max(o_.rows, o_.columns);
    const int most_words = (config_.max_lines + config_.lanes - 1) / config_.lanes;
    int used = 0, matrices = 0;
    // The last line of the next matrix has a word in the line memories.
    while (tile_.line_place(matrices, s - 1, s).first < most_words) {
      if (s > config_.lanes)
        used += o_.rows * ((o_.columns + config_.lanes - 1) / config_.lanes);
      else if (matrices % tile_.side_by_side() == 0)
        used += o_.rows;  // A word of every bank for each row of the group.
      if (used > words) break;
      ++matrices;
    }
    while (matrices % config_.lanes != 0 && config_.lanes % matrices != 0) --matrices;
    return matrices;
  }

 private:
  bool held() const { return o_.form != SinkhornForm::kScaling; }
  bool damped() const { return o_.update == SinkhornUpdate::kDamped; }
  bool sums_rows(std::int64_t sweep) const { return damped() || sweep % 2 == 1; }
  bool sums_columns(std::int64_t sweep) const { return damped() || sweep % 2 == 0; }

  /// The largest beat of a gap-free run of `each` words per matrix.
  std::int64_t flat_beat(std::int64_t each) const {
    if (resident_blocks() == 1) return config_.lanes;
    return std::gcd(std::int64_t{config_.lanes}, block() * each);
  }
  int resident_blocks() const {
    if (o_.batch == 1) return 1;
    return (o_.batch + block() - 1) / block();
  }
  std::int64_t word_beats(std::int64_t each, int matrices) const {
    std::int64_t beats = 0;
    for (std::int64_t at = 0; at < each * matrices; at += flat_beat(each)) ++beats;
    return beats;
  }

  /// Words of `each` per matrix, in or out: a cycle for every stretch of
  /// neighbouring lanes in a beat.
  Spent words(int each, int matrices) const {
    Spent spent;
    const std::int64_t total = std::int64_t{each} * matrices;
    for (std::int64_t first = 0; first < total; first += flat_beat(each)) {
      int stretches = 0;
      std::pair<int, int> next{-1, -1};
      for (std::int64_t k = first; k < std::min(first + flat_beat(each), total); ++k) {
        const auto here =
            tile_.line_place(static_cast<int>(k / each), static_cast<int>(k % each), each);
        stretches += here != next ? 1 : 0;
        next = {here.first, here.second + 1};
      }
      spent.access(stretches);
    }
    return spent;
  }

  /// Elements in or out: a cycle for every row that a beat touches.
  Spent element_beats(int matrices, std::int64_t bytes, std::int64_t pitch,
                      std::int64_t stride) const {
    const std::int64_t elements = std::int64_t{o_.rows} * o_.columns;
    std::int64_t run = matrices * elements;
    std::int64_t most = flat_beat(elements);
    if (pitch != bytes * o_.columns) {
      run = o_.columns;
      most = config_.lanes;
    } else if (o_.batch > 1 && stride != bytes * elements) {
      run = elements;
      most = config_.lanes;
    }
    Spent spent;
    std::set<std::int64_t> rows;
    std::int64_t size = 0;
    for (std::int64_t at = 0; at < matrices * elements; ++at) {
      rows.insert(at / o_.columns);
      ++size;
      if (size < most && (at + 1) % run != 0 && at + 1 < matrices * elements) continue;
      spent.access(static_cast<int>(rows.size()));
      rows.clear();
      size = 0;
    }
    return spent;
  }

  /// Reads of all elements and writes in turn, on the same port, column lines.
  Spent scale_in_place(int matrices) const {
    Spent spent = tile_.pass(false, matrices);
    spent += tile_.pass(false, matrices);
    spent.cycles += kScale;
    return spent;
  }

  Spent sweep(bool rows, int matrices) const {
    Spent spent = tile_.sums(rows, matrices);
    spent.cycles += kSweep;
    if (o_.form == SinkhornForm::kMatrix) spent += scale_in_place(matrices);
    return spent;
  }

  Spent block_of(int matrices, std::int64_t sweeps) const {
    Spent spent;
    Spent scalings = words(o_.rows, matrices);
    scalings += words(o_.columns, matrices);
    if (o_.warm) spent += scalings;
    spent +=
        element_beats(matrices, o_.element_bytes, o_.source_pitch_bytes, o_.matrix_stride_bytes);
    spent.cycles += kLoad;
    if (held()) {  // The matrices' largest logits, then K.
      spent.cycles += kMaximum;
      spent += scale_in_place(matrices);
    }
    for (std::int64_t s = 1; s <= sweeps; ++s) {
      if (sums_rows(s)) spent += sweep(true, matrices);
      if (sums_columns(s)) spent += sweep(false, matrices);
    }
    if (o_.form != SinkhornForm::kMatrix) spent += scalings;
    spent += words(1, matrices);
    if (o_.kernel_wanted)
      spent += element_beats(matrices, 4, o_.kernel_pitch_bytes, o_.kernel_stride_bytes);
    return spent;
  }

  // --- streamed ---

  struct Chunk {
    int rows = 0;
    int columns = 0;
    bool ends_rows = false;
    std::vector<int> steps;  ///< Cycles of each step of the pass, rows' first.
    std::size_t row_steps = 0;
    std::int64_t beats = 0;
  };

  std::vector<Chunk> chunks(std::int64_t sweep) const {
    const int width = config_.tile_elements / 2 / config_.lanes / config_.lanes * config_.lanes;
    std::vector<Chunk> result;
    for (int i = 0; i < o_.rows; i += config_.lanes) {
      for (int j = 0; j < o_.columns; j += width) {
        Chunk chunk;
        chunk.rows = std::min(config_.lanes, o_.rows - i);
        chunk.columns = std::min(width, o_.columns - j);
        chunk.ends_rows = j + width >= o_.columns;
        for (int row = 0; row < chunk.rows; ++row)
          for (int at = 0; at < chunk.columns; at += config_.lanes) ++chunk.beats;
        const Tile tile(config_, chunk.rows, chunk.columns);
        chunk.row_steps = static_cast<std::size_t>(sums_rows(sweep) ? chunk.columns : 0);
        for (const bool rows : {true, false}) {
          if (rows ? !sums_rows(sweep) : !sums_columns(sweep)) continue;
          for (const Lanes& lanes : tile.groups(rows, 1))
            for (int s = 0; s < tile.steps(rows); ++s)
              chunk.steps.push_back(tile.step(rows, lanes, s));
        }
        result.push_back(chunk);
      }
    }
    return result;
  }

  /// Cycle by cycle: a beat into one half of the tile memory, a step out of the
  /// other, drain registers into the log units.
  Spent pass(std::int64_t sweep) const {
    const std::vector<Chunk> all = chunks(sweep);
    std::int64_t warm_left = o_.warm ? word_beats(o_.rows, 1) + word_beats(o_.columns, 1) : 0;
    std::vector<std::int64_t> loaded_at(all.size(), -1);
    std::size_t filling = 0, summing = 0;
    std::int64_t beat = 0;
    std::size_t step = 0;
    int busy = 0, draining = 0;
    bool moved = false;  // The chunk's row sums are in the drain registers.
    int fold = sums_columns(sweep) ? 0 : o_.columns;
    Spent spent;
    std::int64_t& now = spent.cycles;
    while (summing < all.size() || fold < o_.columns || draining > 0) {
      const bool summed_all = summing == all.size();
      draining -= std::min(draining, config_.log_units);
      // Chunk c fills the half that chunk c - 2 had; `summing` as of this cycle's start.
      const bool half_free = filling < summing + 2;
      const bool drains = !summed_all && sums_rows(sweep) && all[summing].ends_rows;
      const bool steps_out =
          !summed_all && loaded_at[summing] >= 0 && now >= loaded_at[summing] + kLoad &&
          step < all[summing].steps.size() && !(drains && !moved && step == all[summing].row_steps);
      if (warm_left > 0) {
        --warm_left;
      } else if (filling < all.size() && half_free) {
        if (++beat == all[filling].beats) {
          loaded_at[filling++] = now + 1;
          beat = 0;
        }
      }
      if (steps_out) {
        spent.conflicts += busy > 0 ? 1 : 0;
        if (++busy == all[summing].steps[step]) {
          ++step;
          busy = 0;
        }
      }
      ++now;
      if (summed_all) {
        if (fold == o_.columns || draining > 0) continue;
        draining = std::min(config_.lanes, o_.columns - fold);
        fold += draining;
        continue;
      }
      if (drains && !moved && step == all[summing].row_steps && draining == 0) {
        draining = all[summing].rows;
        moved = true;
      }
      if (step < all[summing].steps.size() || (drains && !moved)) continue;
      ++summing;
      step = 0;
      moved = false;
    }
    now += kSweep;
    return spent;
  }

  SinkhornConfig config_;
  SinkhornScale o_;
  Tile tile_;
};

SinkhornConfig random_config(Random& random) {
  const int lanes[] = {1, 2, 3, 4, 5, 7, 8, 16, 32, 64};
  SinkhornConfig config;
  config.lanes = lanes[pick(random, 0, 9)];
  config.tile_elements = 2 * config.lanes * config.lanes * pick(random, 1, 3) + pick(random, 0, 90);
  config.max_lines = std::max(config.lanes, pick(random, 100, 300));
  config.log_units = one_in(random, 2) ? 1 : pick(random, 1, config.lanes);
  config.skewed = !one_in(random, 3);
  return config;
}

std::int64_t random_pitch(Random& random, std::int64_t bytes) {
  return one_in(random, 3) ? bytes + 256 : bytes;
}

/// A command without addresses; a streamed one where the tile memory is too small.
SinkhornScale random_scale(Random& random, const SinkhornConfig& config) {
  SinkhornScale o = random_scale_shape(random, config, 9, 80);
  const bool resident = sinkhorn_resident(config, o.rows, o.columns, o.form);
  o.batch = !resident || one_in(random, 3) ? 1 : pick(random, 2, 40);
  o.half_steps = pick(random, 1, 5);
  o.element_bytes = one_in(random, 2) ? 2 : 4;
  o.source_pitch_bytes = random_pitch(random, std::int64_t{o.columns} * o.element_bytes);
  o.matrix_stride_bytes = random_pitch(random, o.rows * o.source_pitch_bytes);
  o.kernel_pitch_bytes = random_pitch(random, std::int64_t{4} * o.columns);
  o.kernel_stride_bytes = random_pitch(random, o.rows * o.kernel_pitch_bytes);
  return o;
}

/// A tally of what was drawn.
struct Drawn {
  int ragged_side_by_side = 0, groups = 0, blocks = 0, damped = 0, kernel = 0, matrix = 0;
  int streamed = 0, streamed_ragged = 0, streamed_damped = 0, streamed_chunks = 0;
  int conflicts = 0, slow_drain = 0;
};

void compare(Random& random, const SinkhornConfig& config, const SinkhornScale& o, Drawn& drawn) {
  const SinkhornEngine engine(config);
  const bool resident = sinkhorn_resident(config, o.rows, o.columns, o.form);
  const CommandCourse course = random_course(random, config, o);
  Simulator simulator(config, o);
  if (resident) {
    ASSERT_EQ(sinkhorn_block_matrices(config, o.rows, o.columns, o.form), simulator.block());
  }
  const Spent spent =
      resident ? simulator.resident(course.block_sweeps) : simulator.streamed(course.input_passes);
  EXPECT_EQ(engine.alone_cycles(o, course), spent.cycles);
  EXPECT_EQ(engine.activity(o, course).local_conflict_cycles, spent.conflicts);

  const int s = std::max(o.rows, o.columns);
  const bool damped = o.update == SinkhornUpdate::kDamped;
  const int slowest = (std::min(s, config.lanes) + config.log_units - 1) / config.log_units;
  drawn.ragged_side_by_side +=
      resident && o.batch > 1 && o.rows != o.columns && s * 2 <= config.lanes;
  drawn.groups += resident && s > config.lanes;
  drawn.blocks += course.block_sweeps.size() > 1;
  drawn.damped += resident && damped;
  drawn.kernel += o.form == SinkhornForm::kKernel;
  drawn.matrix += o.form == SinkhornForm::kMatrix;
  drawn.streamed += !resident;
  drawn.streamed_ragged += !resident && o.rows % config.lanes != 0 && o.columns % config.lanes != 0;
  drawn.streamed_damped += !resident && damped;
  drawn.streamed_chunks +=
      !resident && o.columns > config.tile_elements / 2 / config.lanes && o.rows > config.lanes;
  drawn.conflicts += spent.conflicts > 0;
  drawn.slow_drain += s > config.lanes && slowest > std::min(o.rows, o.columns);
}

std::string describe(const SinkhornConfig& config, const SinkhornScale& o) {
  return std::to_string(config.lanes) + (config.skewed ? " lanes, " : " lanes (not skewed), ") +
         std::to_string(config.log_units) + " log units, " + std::to_string(config.tile_elements) +
         " words, batch " + std::to_string(o.batch) + " of " + std::to_string(o.rows) + " x " +
         std::to_string(o.columns) + ", form " + std::to_string(static_cast<int>(o.form)) +
         ", update " + std::to_string(static_cast<int>(o.update)) + (o.warm ? ", warm" : "") +
         ", half-steps " + std::to_string(o.half_steps);
}

TEST(SinkhornStepSimulator, RandomCommandsTakeTheCyclesOfTheirSteps) {
  const std::uint64_t seed = test_seed(20250731);
  Random random(seed);
  Drawn drawn;
  const int cases = 1500;
  for (int trial = 0; trial < cases; ++trial) {
    const SinkhornConfig config = random_config(random);
    const SinkhornScale o = random_scale(random, config);
    SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed) + ", trial " + std::to_string(trial) +
                 ": " + describe(config, o));
    compare(random, config, o, drawn);
    if (testing::Test::HasFailure()) return;
  }
  for (const int count :
       {drawn.ragged_side_by_side, drawn.groups, drawn.blocks, drawn.damped, drawn.kernel,
        drawn.matrix, drawn.streamed, drawn.streamed_ragged, drawn.streamed_damped,
        drawn.streamed_chunks, drawn.conflicts, drawn.slow_drain})
    EXPECT_GE(count, cases / 50);
}

}  // namespace
}  // namespace quadrille
