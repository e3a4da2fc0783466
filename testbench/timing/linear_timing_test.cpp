// The linear-attention engine's timing contract: closed forms written from shapes
// and lanes alone (docs/engines/linear.md), against alone_cycles() and the beat
// body; and alone_cycles() against the beat body over random commands.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "hw/engines/linear/linear_engine.h"
#include "testbench/common/drive.h"
#include "testbench/common/environment.h"
#include "testbench/common/linear_case.h"

namespace quadrille {
namespace {

using namespace hw;

/// Runs the commands one after the other on one body that never stalls, and
/// holds each against alone_cycles(). Gives the cycles of each.
std::vector<std::int64_t> measured(const LinearConfig& config,
                                   const std::vector<LinearAttend>& commands) {
  std::vector<std::uint8_t> memory(std::size_t{1} << 20, 3);
  auto body = make_linear_beat_body(config, nullptr);
  std::vector<std::int64_t> cycles;
  for (const LinearAttend& command : commands) {
    cycles.push_back(testbench::drive(*body, command, input_stream(config, command),
                                      output_stream(config, command),
                                      Bytes(memory.data(), memory.size())));
    EXPECT_EQ(LinearEngine(config).alone_cycles(command), cycles.back())
        << "lanes " << config.lanes << " chunk " << config.chunk_tokens << ", "
        << command.key_tokens << " keys, " << command.query_tokens << " queries from "
        << command.first_position << " of " << command.total_keys << " keys, d " << command.width
        << " dv " << command.value_width << " k " << command.horizon << " causal " << command.causal
        << " sums " << command.sums_wanted;
  }
  return cycles;
}

LinearAttend sequence(int keys, int width, int value_width, bool causal, int horizon) {
  LinearAttend op;
  op.total_keys = keys;
  op.width = width;
  op.value_width = value_width;
  op.causal = causal;
  op.horizon = horizon;
  op.key_pitch_bytes = op.query_pitch_bytes = op.position_pitch_bytes = width;
  op.value_pitch_bytes = value_width;
  op.destination = 1 << 19;
  op.destination_pitch_bytes = 4 * value_width;
  op.numerators = (1 << 19) + (1 << 18);
  op.numerator_pitch_bytes = 8 * value_width;
  op.denominators = (1 << 19) - (1 << 14);
  return op;
}

std::vector<LinearAttend> cut(const LinearAttend& whole, int queries, int most) {
  return testbench::cut_linear(whole, queries, most, nullptr);
}

/// Beats of the tables, 256 bytes each, and of 2k+1 rows of RP.
std::int64_t load(const LinearConfig& config, int row_beats, int horizon) {
  int beats = 0;
  for (int byte = 0; byte < 256; byte += config.lanes) beats += 3;
  for (int r = -horizon; horizon >= 0 && r <= horizon; ++r) beats += row_beats;
  return beats;
}

// A causal piece: per chunk of n tokens n K rows, n V rows, n Q rows, one behind
// the other: the state is merged while the next chunk's keys come.
TEST(LinearTiming, CausalPiecesEqualTheClosedForm) {
  int compared = 0;
  for (const int lanes : {4, 16, 64}) {
    for (const int chunk : {1, 2, 3, 16}) {
      for (const int beats : {1, 2, 3}) {
        for (const int tokens : {1, 2, 7, 16, 17, 50}) {
          for (const int horizon : {-1, 0, 3}) {
            LinearConfig config;
            config.lanes = lanes;
            config.chunk_tokens = chunk;
            config.max_width = 3 * lanes;
            std::int64_t expected = 1 + load(config, beats, horizon);
            for (int first = 0; first < tokens; first += chunk) {
              const int n = std::min(chunk, tokens - first);
              expected += n * beats + n + n * beats;
            }
            expected += 28;
            const auto commands =
                cut(sequence(tokens, beats * lanes - 1, lanes, true, horizon), tokens, tokens);
            ASSERT_EQ(commands.size(), 1U);
            EXPECT_EQ(measured(config, commands).front(), expected)
                << lanes << " lanes, chunk " << chunk << ", " << beats << " beats, " << tokens
                << " tokens, k " << horizon;
            ++compared;
          }
        }
      }
    }
  }
  EXPECT_EQ(compared, 3 * 4 * 3 * 6 * 3);
}

// A query gives four beats with sums: inside a chunk queries are four cycles
// apart where their rows have fewer beats.
TEST(LinearTiming, CausalPiecesWithSumsEqualTheClosedForm) {
  for (const int chunk : {1, 2, 5, 16}) {
    for (const int beats : {1, 2, 4, 5}) {
      for (const int tokens : {1, 4, 16, 33}) {
        LinearConfig config;
        config.lanes = 4;
        config.max_width = 20;
        config.chunk_tokens = chunk;
        LinearAttend whole = sequence(tokens, 4 * beats, 4, true, -1);
        whole.sums_wanted = true;
        std::int64_t last_query = load(config, beats, -1);
        for (int first = 0; first < tokens; first += chunk) {
          const int n = std::min(chunk, tokens - first);
          const int between = n * (beats + 1);
          const int step = first == 0 ? between + beats : std::max(between + beats, 4);
          last_query += step + (n - 1) * std::max(beats, 4);
        }
        EXPECT_EQ(measured(config, cut(whole, tokens, tokens)).front(), last_query + 4 + 28)
            << "chunk " << chunk << ", " << beats << " beats, " << tokens << " tokens";
      }
    }
  }
}

// Keys without a mask take their beats, the outer products of the last rows of V
// (one token per row_beats cycles), the merge (a word, the rows of a beat, per
// cycle) and 12 cycles until the last row of V has left the pipeline.
TEST(LinearTiming, KeysEqualTheClosedForm) {
  for (const int chunk : {1, 3, 16}) {
    for (const int beats : {1, 2, 3}) {
      for (const int keys : {1, 3, 15, 16, 17, 31, 50}) {
        LinearConfig config;
        config.lanes = 8;
        config.chunk_tokens = chunk;
        config.max_width = 24;
        const auto commands = cut(sequence(keys, beats * 8, 8, false, -1), 1, keys);
        const int rest = (keys - 1) % chunk + 1;
        const int before = keys - rest;
        // The last chunk's products start behind those of the chunk before it.
        const int backlog = before > 0 ? chunk * (beats - 1) : 0;
        const std::int64_t expected = load(config, beats, -1) + before * (beats + 1) +
                                      std::max(backlog, rest * beats) + rest * beats + beats + 12;
        EXPECT_EQ(measured(config, commands).front(), expected)
            << keys << " keys, chunk " << chunk << ", " << beats << " beats";
      }
    }
  }
}

// Queries take their beats; with sums four output beats each, if those are more;
// with a horizon k rows of V before the first and one before each other, as long
// as there are any.
TEST(LinearTiming, QueriesEqualTheClosedForm) {
  for (const int beats : {1, 2, 5}) {
    for (const int queries : {1, 2, 9, 40}) {
      for (const int horizon : {-1, 0, 1, 6}) {
        for (const bool sums : {false, true}) {
          for (const int keys : {1, 4, 20, 60}) {
            LinearConfig config;
            config.lanes = 4;
            config.max_width = 20;
            LinearAttend whole = sequence(keys, 4 * beats, 4, false, horizon);
            whole.sums_wanted = sums;
            const auto cycles = measured(config, cut(whole, queries, 64));
            ASSERT_EQ(cycles.size(), 2U);
            const std::int64_t slots = sums ? 4 : 1;
            std::int64_t expected = 0;
            for (int i = 0; i < queries; ++i) {
              int rows = 0;
              if (horizon > 0) rows = i == 0 ? std::min(horizon, keys) : i + horizon <= keys;
              const std::int64_t taken = rows + beats;
              expected += i == 0 ? taken : std::max(taken, slots);
            }
            expected += slots + 28;
            EXPECT_EQ(cycles.back(), expected)
                << beats << " beats, " << queries << " queries, " << keys << " keys, k " << horizon
                << ", sums " << sums;
          }
        }
      }
    }
  }
}

// No token waits for the state, not even with one token per chunk: its K and V
// beats cover the merge.
TEST(LinearTiming, NoTokenWaitsForTheState) {
  const auto cycles = [](int chunk, int width) {
    LinearConfig config;
    config.chunk_tokens = chunk;
    config.max_width = 640;
    LinearAttend op = sequence(256, width, 64, true, -1);
    op.key_tokens = op.query_tokens = 256;
    return LinearEngine(config).alone_cycles(op);
  };
  for (const int chunk : {1, 2, 16}) {
    EXPECT_EQ(cycles(chunk, 64), 3 * 256 + 1 + 28);
    EXPECT_EQ(cycles(chunk, 128), 5 * 256 + 1 + 28);
    EXPECT_EQ(cycles(chunk, 640), 21 * 256 + 1 + 28);
  }
}

// Queries beyond the keys of a causal sequence follow the last chunk with keys at
// once: the first waits until a cycle for each word and 2 more have passed.
TEST(LinearTiming, QueriesBeyondTheKeysWaitForTheMerge) {
  for (const int beats : {1, 2, 5}) {
    LinearConfig config;
    config.lanes = 4;
    config.max_width = 20;
    config.chunk_tokens = 4;
    const auto commands = cut(sequence(4, 4 * beats, 4, true, -1), 7, 7);
    ASSERT_EQ(commands.size(), 1U);
    const std::int64_t before = load(config, beats, -1) + 4 * beats + 4 + 4 * beats;
    EXPECT_EQ(measured(config, commands).front(), before + (beats + 2) - 1 + 3 * beats + 1 + 28)
        << beats << " beats";
  }
}

// The numbers of docs/engines/linear.md: 4,096 tokens of one head, d = dv = 64,
// on the default engine, in one piece that continues a sequence.
TEST(LinearTiming, PublishedExamples) {
  const LinearEngine engine{LinearConfig{}};
  LinearAttend causal = sequence(4096, 64, 64, true, -1);
  causal.key_tokens = causal.query_tokens = 4096;
  EXPECT_EQ(engine.alone_cycles(causal), 12317);
  LinearConfig single;
  single.chunk_tokens = 1;
  EXPECT_EQ(LinearEngine(single).alone_cycles(causal), 12317);
  causal.horizon = 16;
  EXPECT_EQ(engine.alone_cycles(causal), 12317);
  causal.horizon = -1;
  causal.sums_wanted = true;
  EXPECT_EQ(engine.alone_cycles(causal), 23840);
  LinearAttend keys = sequence(4096, 64, 64, false, 16);
  keys.key_tokens = 4096;
  EXPECT_EQ(engine.alone_cycles(keys), 8205);
  LinearAttend queries = sequence(4096, 64, 64, false, 16);
  queries.query_tokens = 4096;
  EXPECT_EQ(engine.alone_cycles(queries), 8221);
  LinearAttend damf = sequence(4096, 2, 64, true, -1);
  damf.kind = LinearKind::kDamf;
  damf.key_tokens = damf.query_tokens = 4096;
  EXPECT_EQ(engine.alone_cycles(damf), 12317);
}

TEST(LinearTiming, EveryCommandTakesWhatTheBeatBodyTakes) {
  const std::uint64_t seed = testbench::test_seed(20240714);
  SCOPED_TRACE("QUADRILLE_SEED=" + std::to_string(seed));
  std::mt19937_64 random(seed);
  int commands = 0;
  for (int trial = 0; trial < 600; ++trial) {
    const auto c = trial % 4 == 0 ? testbench::random_damf_linear_case(random)
                                  : testbench::random_linear_case(random);
    SCOPED_TRACE(c.description);
    auto memory = c.before;
    auto body = make_linear_beat_body(c.config, nullptr);
    for (const LinearAttend& command : c.commands) {
      ASSERT_EQ(
          testbench::drive(*body, command, input_stream(c.config, command),
                           output_stream(c.config, command), Bytes(memory.data(), memory.size())),
          LinearEngine(c.config).alone_cycles(command));
      ++commands;
    }
  }
  EXPECT_GT(commands, 1000);
}

// The output buffer must not limit what the arrays sustain, whatever the number
// of output beats of a query.
TEST(LinearTiming, TheOutputBufferSustainsOneBeatPerCycle) {
  EXPECT_GE(kLinearTiming.output_fifo, kLinearTiming.query_latency + 5);
  for (int lanes = 2; lanes <= 64; ++lanes) {
    LinearConfig config;
    config.lanes = lanes;
    LinearAttend op = sequence(100, 1, lanes, false, -1);
    op.query_tokens = 100;
    op.sums_wanted = true;
    const std::int64_t slots = stream_beats(output_stream(config, op)) / 100;
    EXPECT_LE(slots, 5);
    EXPECT_EQ(LinearEngine(config).alone_cycles(op), 1 + 99 * slots + slots + 28);
  }
}

}  // namespace
}  // namespace quadrille
