// The DAMF engine's timing contract, written from shapes and lanes alone
// (docs/engines/damf.md), against alone_cycles() and the beat body.
#include <gtest/gtest.h>

#include <vector>

#include "hw/engines/damf/damf_engine.h"
#include "testbench/common/drive.h"

namespace quadrille {
namespace {

using namespace hw;

constexpr int kBytes = 1 << 20;

// Cycles of a command on a fresh body in surroundings that never stall.
template <typename Command>
std::int64_t measured(const DamfConfig& config, const Command& command) {
  std::vector<std::uint8_t> memory(kBytes, 3);
  auto body = make_damf_beat_body(config);
  return testbench::drive<DamfOperation>(*body, command, input_stream(config, command),
                                         output_stream(config, command),
                                         Bytes(memory.data(), memory.size()));
}

DamfProject project(int tokens, int width) {
  DamfProject command;
  command.tokens = tokens;
  command.width = width;
  command.source_pitch_bytes = width;
  command.destination = kBytes / 2;
  return command;
}

DamfAttend attend(int tokens, int width, model::DamfMode mode, bool causal) {
  DamfAttend command;
  command.tokens = tokens;
  command.width = width;
  command.value_pitch_bytes = width;
  command.destination = kBytes / 2;
  command.destination_pitch_bytes = 4 * width;
  command.settings.mode = mode;
  command.settings.causal = causal;
  command.rule = model::make_power_rule(model::PowerRounding::kLinear, 1.0);
  return command;
}

constexpr DamfConfig kConfigs[] = {
    {1, 1, 512, 512},   {4, 2, 512, 512},   {8, 4, 512, 512},   {6, 15, 512, 512},
    {16, 16, 512, 512}, {64, 16, 512, 512}, {32, 40, 512, 512},
};

TEST(DamfTiming, ProjectEqualsTheClosedForm) {
  int compared = 0;
  for (const DamfConfig& config : kConfigs) {
    int stages = 0;  // Two adder levels each: 4 lanes more than covered so far.
    for (int covered = 1; covered < config.lanes; covered *= 4) ++stages;
    for (const int tokens : {1, 2, 7, 33}) {
      for (const int width : {1, 4, 5, 63, 64, 65}) {
        int beats = 0;
        for (int k = 0; k < width; k += config.lanes) ++beats;
        // Accept; u, v and the tokens' beats; the last one's way to the port.
        const std::int64_t expected = 1 + (2 + tokens) * beats + 8 + stages;
        const DamfProject command = project(tokens, width);
        EXPECT_EQ(DamfEngine(config).alone_cycles(command), expected);
        EXPECT_EQ(measured(config, command), expected)
            << config.lanes << " lanes, L " << tokens << ", D " << width;
        ++compared;
      }
    }
  }
  EXPECT_EQ(compared, 7 * 4 * 6);
}

TEST(DamfTiming, AttendEqualsTheClosedForm) {
  int compared = 0;
  for (const DamfConfig& config : kConfigs) {
    for (const int tokens : {1, 2, 15, 16, 17, 33, 100}) {
      for (const int width : {1, 8, 64, 70}) {
        for (const bool causal : {false, true}) {
          const int groups = (width - 1) / config.lanes + 1;
          // Pairs, V once per group, and without a mask a second pass over the
          // last group's rows; 20 from a row's issue to its output.
          const std::int64_t collapsed = 1 + tokens + groups * tokens + (causal ? 0 : tokens) + 20;
          // Pairs; 14 until the first rows are ready; V once per block and
          // group; the last block's rows behind each other, 14 after the first
          // has its last key.
          const int rows = config.query_rows;
          const int blocks = (tokens - 1) / rows + 1;
          const int last_rows = tokens - (blocks - 1) * rows;
          std::int64_t array = 1 + tokens + 14 + 14 + last_rows;
          for (int block = 0; block < blocks; ++block) {
            const bool last = block == blocks - 1;
            const std::int64_t keys = causal && !last ? (block + 1) * rows : tokens;
            // A block shorter than the row pipeline waits for the next one's rows.
            array += !last && groups * keys < 15 ? 15 : groups * keys;
          }
          for (const auto& [mode, expected] : {std::pair{model::DamfMode::kMaclaurin, array},
                                               std::pair{model::DamfMode::kShift, array},
                                               std::pair{model::DamfMode::kCollapsed, collapsed}}) {
            const DamfAttend command = attend(tokens, width, mode, causal);
            EXPECT_EQ(DamfEngine(config).alone_cycles(command), expected);
            EXPECT_EQ(measured(config, command), expected)
                << config.lanes << " lanes, " << config.query_rows << " rows, L " << tokens
                << ", h " << width << ", mode " << static_cast<int>(mode) << ", causal " << causal;
            ++compared;
          }
        }
      }
    }
  }
  EXPECT_EQ(compared, 7 * 7 * 4 * 2 * 3);
}

// BERT-base on the default engine: the numbers of docs/engines/damf.md.
TEST(DamfTiming, PublishedExamples) {
  const DamfConfig config;
  const DamfEngine engine(config);
  EXPECT_EQ(engine.alone_cycles(project(128, 768)), 1 + 130 * 12 + 8 + 3);
  const auto cycles = [&](model::DamfMode mode, bool causal) {
    return engine.alone_cycles(attend(128, 64, mode, causal));
  };
  EXPECT_EQ(cycles(model::DamfMode::kMaclaurin, false), 1197);
  EXPECT_EQ(cycles(model::DamfMode::kShift, true), 749);
  EXPECT_EQ(cycles(model::DamfMode::kCollapsed, false), 405);
  EXPECT_EQ(cycles(model::DamfMode::kCollapsed, true), 277);
}

TEST(DamfTiming, RefusesCommandsThatDoNotFit) {
  const DamfConfig config;
  EXPECT_THROW(input_stream(config, project(4, config.max_model_width + 1)), InvariantError);
  EXPECT_THROW(input_stream(config, project(0, 8)), InvariantError);
  EXPECT_THROW(output_stream(config, attend(config.max_tokens + 1, 8, {}, false)), InvariantError);
  EXPECT_THROW(output_stream(config, attend(4, 0, {}, false)), InvariantError);
  DamfAttend guarded = attend(4, 8, {}, false);
  guarded.settings.guard_bits = 16;
  EXPECT_NO_THROW(output_stream(config, guarded));
  guarded.settings.guard_bits = 17;
  EXPECT_THROW(output_stream(config, guarded), InvariantError);
}

}  // namespace
}  // namespace quadrille
