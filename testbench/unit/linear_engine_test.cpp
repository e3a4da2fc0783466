// Linear-attention engine: tile data and beat data equal linear_fixed, and
// damf_fixed in DAMF's collapsed form, bit for bit, however the sequence is cut
// into commands and chunks, and under stalls.
#include "hw/engines/linear/linear_engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <vector>

#include "hw/engines/linear/linear_rows.h"
#include "model/analytic/linear_counts.h"
#include "model/attention/linear.h"
#include "model/errors.h"
#include "testbench/common/drive.h"
#include "testbench/common/environment.h"
#include "testbench/common/linear_case.h"

namespace quadrille {
namespace {

using namespace hw;
using testbench::LinearCase;

LinearAttend sequence(int keys, int width, int value_width, bool causal, int horizon) {
  LinearAttend op;
  op.total_keys = keys;
  op.width = width;
  op.value_width = value_width;
  op.causal = causal;
  op.horizon = horizon;
  return op;
}

void expect_tile(LinearEngine& engine, const LinearCase& c) {
  auto memory = c.before;
  Activity values;
  for (const LinearAttend& command : c.commands) {
    engine.follow(command);
    engine.execute(command, Bytes(memory.data(), memory.size()), values);
  }
  ASSERT_EQ(memory, c.after);
  ASSERT_EQ(values.saturated, c.saturated);
  ASSERT_EQ(values.uniform_rows, c.uniform_rows);
}

template <typename Surroundings>
void expect_beat(BeatEngine<LinearAttend>& body, const LinearCase& c, Activity& values,
                 const Surroundings& surroundings) {
  auto memory = c.before;
  values = {};
  for (const LinearAttend& command : c.commands) {
    const std::int64_t cycles = testbench::drive(
        body, command, input_stream(c.config, command), output_stream(c.config, command),
        Bytes(memory.data(), memory.size()), surroundings());
    // Stalls only add cycles.
    ASSERT_GE(cycles, LinearEngine(c.config).alone_cycles(command));
  }
  ASSERT_EQ(memory, c.after);
  ASSERT_EQ(values.saturated, c.saturated);
  ASSERT_EQ(values.uniform_rows, c.uniform_rows);
}

void expect_case(const LinearCase& c, std::mt19937_64& random) {
  LinearEngine engine(c.config);
  Activity values;
  auto body = make_linear_beat_body(c.config, &values);
  // The second round shows that a sequence leaves nothing behind for the next.
  for (int round = 1; round <= 2; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    expect_tile(engine, c);
    expect_beat(*body, c, values, [&] { return testbench::draw_surroundings(random); });
    if (testing::Test::HasFatalFailure()) return;
  }
}

TEST(LinearEngine, TileAndBeatEqualTheSpecification) {
  const std::uint64_t seed = testbench::test_seed(20240711);
  std::mt19937_64 random(seed);
  for (int trial = 0; trial < testbench::random_cases(600); ++trial) {
    const LinearCase c = testbench::random_linear_case(random);
    SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed) + " trial " + std::to_string(trial) +
                 ": " + c.description);
    expect_case(c, random);
    if (HasFailure()) return;
  }
}

// Denominators beyond 2^32, where numerators are shifted before the product.
TEST(LinearEngine, LongRowsEqualTheSpecification) {
  std::mt19937_64 random(testbench::test_seed(20240715));
  for (const bool causal : {false, true}) {
    model::LinearShape shape;
    shape.queries = shape.keys = 1500;
    shape.width = 128;
    shape.value_width = 8;
    shape.causal = causal;
    shape.horizon = 5;
    const LinearCase c = testbench::make_linear_case(random, LinearConfig{}, shape, 600);
    SCOPED_TRACE(c.description);
    expect_case(c, random);
  }
}

// The engine's division against the specification's, over all magnitudes.
TEST(LinearEngine, DivisionIsTheSpecifications) {
  std::mt19937_64 random(testbench::test_seed(20240716));
  std::int64_t shifted = 0;
  std::int64_t mine = 0;
  std::int64_t theirs = 0;
  for (int trial = 0; trial < 500000; ++trial) {
    const std::int64_t denominator =
        static_cast<std::int64_t>(random() >> (17 + random() % 46)) | 1;
    // A mean of codes; rarely (DAMF's small denominators) far beyond them.
    const std::int64_t mean = static_cast<std::int64_t>(random() % 256) - 128;
    std::int64_t numerator =
        mean * denominator +
        static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(denominator));
    if (denominator < 1 << 12) numerator *= static_cast<std::int64_t>(1 + random() % (1 << 20));
    ASSERT_EQ(LinearDivision(denominator).apply(numerator, mine),
              model::linear_normalise(numerator, denominator, theirs))
        << numerator << " / " << denominator;
    shifted += denominator >> 32 != 0 ? 1 : 0;
  }
  EXPECT_EQ(mine, theirs);
  EXPECT_GT(theirs, 0);
  EXPECT_GT(shifted, 100000);
}

// Numerators that round to either side of half an output step, depending on the
// pre-shift: one bit more or less of it shows.
TEST(LinearEngine, DivisionShiftsBeforeTheProductAsSpecified) {
  std::mt19937_64 random(testbench::test_seed(20240717));
  std::int64_t saturated = 0;
  for (int trial = 0; trial < 20000; ++trial) {
    const int lead = 32 + static_cast<int>(random() % 15);
    const std::uint64_t denominator = std::uint64_t{1} << lead | random() >> (64 - lead);
    const int pre_shift = lead - 31;
    // The product is shifted by 16 + lead - pre_shift - 8 = 39: the first shifted
    // numerator whose product is beyond half a step, reached by rounding up.
    const std::uint64_t half = (2 * (random() % (1 << 14)) + 1) << 38;
    const std::uint64_t shifted = half / model::reciprocal(denominator).mantissa + 1;
    const auto numerator = static_cast<std::int64_t>((shifted << pre_shift) -
                                                     (std::uint64_t{1} << (pre_shift - 1)) + 1);
    const auto divisor = static_cast<std::int64_t>(denominator);
    ASSERT_EQ(LinearDivision(divisor).apply(numerator, saturated),
              model::linear_normalise(numerator, divisor, saturated))
        << numerator << " / " << denominator;
  }
}

TEST(LinearEngine, CollapsedDamfEqualsItsSpecification) {
  const std::uint64_t seed = testbench::test_seed(20240712);
  std::mt19937_64 random(seed);
  std::int64_t uniform = 0;
  for (int trial = 0; trial < testbench::random_cases(300); ++trial) {
    const LinearCase c = testbench::random_damf_linear_case(random);
    uniform += c.uniform_rows;
    SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed) + " trial " + std::to_string(trial) +
                 ": " + c.description);
    expect_case(c, random);
    if (HasFailure()) return;
  }
  EXPECT_GT(uniform, 0) << "no row without a positive maximum was drawn";
}

// Two bodies may take turns at sequences of different shape.
TEST(LinearEngine, BodiesServeAnySequenceAfterAnother) {
  std::mt19937_64 random(testbench::test_seed(20240713));
  LinearConfig config;
  config.lanes = 4;
  config.chunk_tokens = 3;
  config.max_width = 12;
  config.max_horizon = 12;
  LinearEngine engine(config);
  Activity values;
  auto body = make_linear_beat_body(config, &values);
  int served = 0;
  for (int trial = 0; trial < 200; ++trial) {
    LinearCase c = trial % 3 == 0 ? testbench::random_damf_linear_case(random)
                                  : testbench::random_linear_case(random);
    if (c.commands.front().value_width > 4 || c.commands.front().width > 12) continue;
    c.config = config;
    SCOPED_TRACE(c.description);
    expect_tile(engine, c);
    expect_beat(*body, c, values, [] { return testbench::Surroundings{}; });
    if (HasFailure()) return;
    ++served;
  }
  EXPECT_GT(served, 40);
}

// The rows of V that the pieces stream are each row once, in order, and those
// that a query needs are there before it.
TEST(LinearEngine, WindowsOfPiecesAreEachRowOnce) {
  for (const int keys : {1, 2, 5, 9, 20}) {
    for (const int queries : {1, 3, 9, 30}) {
      for (const int horizon : {-1, 0, 1, 2, 7, 25}) {
        for (const int piece : {1, 2, 4, 30}) {
          int next = 0;
          for (int first = 0; first < queries; first += piece) {
            const int count = std::min(piece, queries - first);
            const LinearWindow window = linear_window(first, count, keys, horizon);
            if (window.rows == 0) continue;
            EXPECT_EQ(window.first, next);
            next += window.rows;
            EXPECT_EQ(next, std::min(first + count - 1 + horizon, keys));
          }
          if (horizon <= 0) {
            EXPECT_EQ(next, 0);
          }
        }
      }
    }
  }
}

// Aligned operands let every beat lie in a word or begin at one, on a chip of
// wide and of narrow words.
TEST(LinearEngine, BeatsFitTheWords) {
  struct Chip {
    int lanes;
    std::uint64_t word_bytes;
  };
  for (const Chip chip : {Chip{64, 128}, Chip{4, 16}}) {
    LinearConfig config;
    config.lanes = chip.lanes;
    for (int columns = 1; columns <= chip.lanes; columns *= 2) {
      for (const bool causal : {false, true}) {
        LinearAttend op = sequence(40, 2 * chip.lanes, columns, causal, 3);
        const auto word = static_cast<std::int64_t>(chip.word_bytes);
        op.key_pitch_bytes = op.query_pitch_bytes = op.position_pitch_bytes = 2 * chip.lanes;
        op.value_pitch_bytes = columns;
        op.destination_pitch_bytes = std::max<std::int64_t>(word, 4 * columns);
        op.numerator_pitch_bytes = std::max<std::int64_t>(word, 8 * columns);
        op.sums_wanted = true;
        for (const LinearAttend& command : testbench::cut_linear(op, 40, 16, nullptr)) {
          for (const Stream& stream :
               {input_stream(config, command), output_stream(config, command)}) {
            for (StreamCursor beat(stream); !beat.done(); beat.advance()) {
              const std::uint64_t offset = beat.address() % chip.word_bytes;
              EXPECT_TRUE(offset == 0 ||
                          offset + static_cast<std::uint64_t>(beat.bytes()) <= chip.word_bytes);
              EXPECT_LE(beat.bytes(), std::max(4 * chip.lanes, 8));
            }
          }
        }
      }
    }
  }
}

// ------------------------------------------------------------------ counters

TEST(LinearEngine, CountsOfThePiecesAreThoseOfTheProblem) {
  LinearConfig config;
  config.lanes = 8;
  config.max_width = 24;
  int compared = 0;
  for (const int chunk : {1, 3, 16}) {
    config.chunk_tokens = chunk;
    for (const int queries : {1, 5, 16, 37}) {
      for (const int keys : {1, 4, 17, 37, 50}) {
        for (const bool causal : {false, true}) {
          for (const int horizon : {-1, 0, 1, 3, 16}) {
            for (const int pieces : {1, 2, 100}) {
              const LinearAttend whole = sequence(keys, 11, 5, causal, horizon);
              Activity total;
              for (const LinearAttend& command :
                   testbench::cut_linear(whole, queries, pieces * chunk, nullptr))
                total += LinearEngine(config).activity(command);
              model::LinearShape shape;
              shape.queries = queries;
              shape.keys = keys;
              shape.width = 11;
              shape.value_width = 5;
              shape.causal = causal;
              shape.horizon = horizon;
              const auto expected = model::linear_counts(shape, chunk, config.lanes);
              ASSERT_EQ(total.macs_static, expected.macs_static);
              ASSERT_EQ(total.macs_dynamic, expected.macs_dynamic)
                  << queries << " x " << keys << " causal " << causal << " k " << horizon
                  << " chunk " << chunk << " pieces of " << pieces;
              ASSERT_GE(total.macs_wasted, 0);
              ASSERT_EQ(total.reciprocals, queries);
              ++compared;
            }
          }
        }
      }
    }
  }
  EXPECT_EQ(compared, 3 * 4 * 5 * 2 * 5 * 3);
}

// The useful products by enumeration, straight from the definition.
TEST(LinearEngine, ProblemCountsEqualEnumeration) {
  for (const int chunk : {1, 4}) {
    for (const int queries : {1, 6, 13}) {
      for (const int keys : {1, 5, 13, 18}) {
        for (const bool causal : {false, true}) {
          for (const int k : {-1, 0, 2, 9}) {
            model::LinearShape shape;
            shape.queries = queries;
            shape.keys = keys;
            shape.width = 7;
            shape.value_width = 10;
            shape.causal = causal;
            shape.horizon = k;
            // Groups of 4, 4 and 2 columns.
            std::int64_t dynamic = (keys + queries) * 7 * 10 + 3 * queries * 7;
            for (int i = 0; i < queries; ++i) {
              std::vector<bool> used(static_cast<std::size_t>(2 * std::max(k, 0) + 1), false);
              for (int j = 0; j < shape.visible(i); ++j) {
                if (causal && i / chunk == j / chunk) dynamic += 3 * 7 + 10;
                if (k >= 0) used[static_cast<std::size_t>(std::clamp(j - i, -k, k) + k)] = true;
              }
              if (k >= 0) dynamic += 10 * std::count(used.begin(), used.end(), true);
            }
            const std::int64_t weights = k < 0 ? 0 : causal ? k + 1 : 2 * k + 1;
            const auto counts = model::linear_counts(shape, chunk, 4);
            EXPECT_EQ(counts.macs_dynamic, dynamic)
                << queries << " x " << keys << " causal " << causal << " k " << k;
            EXPECT_EQ(counts.macs_static, 3 * queries * weights * 7);
          }
        }
      }
    }
  }
}

TEST(LinearEngine, DamfCountsOfThePiecesAreThoseOfTheProblem) {
  LinearConfig config;
  config.lanes = 8;
  config.chunk_tokens = 4;
  for (const int tokens : {1, 4, 7, 33}) {
    for (const bool causal : {false, true}) {
      for (const int piece : {4, 12, 100}) {
        LinearAttend whole = sequence(tokens, 2, 6, causal, -1);
        whole.kind = LinearKind::kDamf;
        Activity total;
        for (const LinearAttend& command : testbench::cut_linear(whole, tokens, piece, nullptr))
          total += LinearEngine(config).activity(command);
        std::int64_t pairs = 0;
        for (int i = 0; i < tokens; ++i)
          for (int j = 0; causal && j <= i; ++j) pairs += i / 4 == j / 4 ? 1 : 0;
        EXPECT_EQ(total.macs_dynamic, 3 * tokens * 6 + pairs * 7);
        EXPECT_EQ(total.macs_dynamic,
                  model::damf_linear_counts(tokens, 6, causal, 4, 8).macs_dynamic);
        EXPECT_EQ(total.macs_static, 0);
        EXPECT_EQ(total.macs_wide, 2 * tokens * 6 + pairs * 6);
        EXPECT_GE(total.macs_wasted, 0);
        EXPECT_EQ(total.exponentials, 0);
      }
    }
  }
}

// One causal piece of the default engine by hand: two chunks, d = 60, dv = 48.
TEST(LinearEngine, CountsOfOnePiece) {
  LinearAttend op = sequence(32, 60, 48, true, 2);
  op.reset = true;
  op.key_tokens = op.query_tokens = 32;
  const Activity activity = LinearEngine(LinearConfig{}).activity(op);
  const std::int64_t pairs = 2 * 16 * 17 / 2;
  const std::int64_t terms = 1 + 2 + 30 * 3;  // Weights W_0..W_2 that have a key.
  EXPECT_EQ(activity.macs_static, 32 * 3 * 60);
  EXPECT_EQ(activity.macs_dynamic, 32 * 60 * 48 + 32 * 60 * 49 + pairs * 108 + terms * 48);
  EXPECT_EQ(activity.macs_wide, 32 * 60 * 49 + pairs * 48 + terms * 48);
  const std::int64_t executed = 32 * 64 * 64 + 32 * 64 * 65 + 32 * 16 * 128 + 32 * 3 * 128;
  EXPECT_EQ(activity.macs_wasted, executed - activity.macs_static - activity.macs_dynamic);
  EXPECT_EQ(activity.exponentials, (32 + 32 + 5) * 60);
  EXPECT_EQ(activity.reciprocals, 32);
  EXPECT_EQ(activity.multiplies, 32 * 48 + 32);
  EXPECT_EQ(activity.additions, 32 * 60 + 2 * 60 * 49 + pairs + 32 * 49  // Kernel.
                                    + 32 * 48 + terms + 32 * 49);        // Positions.
  const std::int64_t state = 60 * (48 * 5 + 4);
  EXPECT_EQ(activity.local_read_bytes,
            (2 + 32) * state + 32 * 108 + pairs * 108 + 32 * 3 * 60 + terms * 48 + 32 * 48 * 4);
  EXPECT_EQ(activity.local_write_bytes, 2 * state + 32 * 108 + 5 * 60 + 32 * 48 * 4);
}

// ------------------------------------------------------------------ refusals

TEST(LinearEngine, RefusesImpossibleCommands) {
  const LinearConfig config;
  const auto refused = [&](const auto& change) {
    LinearAttend op = sequence(40, 64, 64, true, 4);
    op.reset = true;
    op.key_tokens = op.query_tokens = 32;
    input_stream(config, op);
    change(op);
    EXPECT_THROW(input_stream(config, op), InvariantError);
    EXPECT_THROW(output_stream(config, op), InvariantError);
    EXPECT_THROW(LinearEngine(config).alone_cycles(op), InvariantError);
    EXPECT_THROW(LinearEngine(config).activity(op), InvariantError);
    EXPECT_THROW(LinearEngine(config).follow(op), InvariantError);
  };
  refused([](LinearAttend& op) { op.width = 129; });
  refused([](LinearAttend& op) { op.width = 0; });
  refused([](LinearAttend& op) { op.value_width = 65; });
  refused([](LinearAttend& op) { op.horizon = 17; });
  refused([](LinearAttend& op) { op.horizon = -2; });
  refused([](LinearAttend& op) { op.key_tokens = op.query_tokens = 0; });
  refused([](LinearAttend& op) { op.key_tokens = 41; });
  refused([](LinearAttend& op) { op.key_tokens = 31; });  // Keys are left for query 32.
  refused([](LinearAttend& op) { op.causal = false; });   // Keys and queries in one.
  refused([](LinearAttend& op) { op.first_position = 1; });
  refused([](LinearAttend& op) { op.total_keys = (1 << 20) + 1; });
  refused([](LinearAttend& op) { op.kind = LinearKind::kDamf; });
  EXPECT_THROW(LinearEngine(LinearConfig{65, 128, 16, 16}), InvariantError);
  EXPECT_THROW(make_linear_beat_body(LinearConfig{1, 128, 16, 16}, nullptr), InvariantError);
}

// S holds 2^20 tokens, whatever d; beyond d = 512 the specification's reach is less.
TEST(LinearEngine, RefusesMoreKeysThanItsRegistersHold) {
  LinearConfig config;
  config.max_width = 4096;
  struct Limit {
    LinearKind kind;
    int width;
    int most;
  };
  for (const Limit limit :
       {Limit{LinearKind::kKernel, 1, 1 << 20}, Limit{LinearKind::kKernel, 512, 1 << 20},
        Limit{LinearKind::kKernel, 1024, 1 << 19}, Limit{LinearKind::kDamf, 2, 1 << 20}}) {
    LinearAttend op = sequence(limit.most, limit.width, 1, false, -1);
    op.kind = limit.kind;
    op.reset = true;
    op.key_tokens = 16;
    EXPECT_NO_THROW(LinearEngine(config).follow(op)) << limit.width;
    ++op.total_keys;
    try {
      LinearEngine(config).follow(op);
      ADD_FAILURE() << "accepted " << op.total_keys << " keys of width " << limit.width;
    } catch (const InvariantError& error) {
      EXPECT_EQ(std::string(error.what()), "linear: total_keys is " +
                                               std::to_string(limit.most + 1) + ", must be 1.." +
                                               std::to_string(limit.most));
    }
  }
}

TEST(LinearEngine, RefusesCommandsThatDoNotContinueTheSequence) {
  const auto run = [&](const std::vector<LinearAttend>& commands) {
    LinearEngine engine{LinearConfig{}};
    for (const LinearAttend& command : commands) engine.follow(command);
  };
  LinearAttend whole = sequence(8, 4, 4, true, -1);
  const auto causal = testbench::cut_linear(whole, 8, 4, nullptr);
  EXPECT_NO_THROW(run({causal[0], causal[1]}));
  EXPECT_THROW(run({causal[1]}), InvariantError);  // There was no reset.
  EXPECT_THROW(run({causal[0], causal[1], causal[1]}), InvariantError);
  whole.causal = false;
  const auto full = testbench::cut_linear(whole, 8, 4, nullptr);
  EXPECT_NO_THROW(run({full[0], full[1], full[3], full[2]}));  // No window: any order.
  EXPECT_THROW(run({full[0], full[2]}), InvariantError);       // Keys are left.
  EXPECT_THROW(run({full[0], causal[1]}), InvariantError);
}

TEST(LinearEngine, ExecutesOnlyWhatItHasFollowed) {
  std::vector<std::uint8_t> bytes(1 << 12, 3);
  const Bytes memory(bytes.data(), bytes.size());
  LinearAttend op = sequence(8, 4, 4, false, -1);
  op.reset = true;
  op.key_tokens = 8;
  LinearEngine engine{LinearConfig{}};
  Activity values;
  EXPECT_THROW(engine.execute(op, memory, values), InvariantError);
  engine.follow(op);
  EXPECT_NO_THROW(engine.execute(op, memory, values));
  EXPECT_THROW(engine.execute(op, memory, values), InvariantError);
}

}  // namespace
}  // namespace quadrille
