// The DRAM's and the DMA's cycles against closed forms written down here, not
// taken from the model.
#include "hw/memory/dram_timing.h"

#include <gtest/gtest.h>

#include <random>

#include "app/config/chip_file.h"
#include "hw/chip.h"
#include "hw/simulation_context.h"
#include "testbench/common/portable_random.h"
#include "testbench/common/source_tree.h"

namespace quadrille::hw {
namespace {

// B = 3, H = 12, M = 24 and rows of 32 bursts: the default device.
const DramConfig kDram;

BurstTrain train_from(std::int64_t first_issue, int window = 16) {
  BurstTrain train;
  train.window = window;
  train.begin(first_issue);
  return train;
}

std::int64_t end_of_block(const DramConfig& config, BurstTrain train, std::uint64_t address,
                          std::int64_t length) {
  const DramTiming timing(config);
  DramState state = timing.initial_state();
  timing.block(state, train, address, length);
  return train.last_end();
}

TEST(DramTiming, FirstBurstPaysMissHitAndBus) {
  EXPECT_EQ(end_of_block(kDram, train_from(7), 0, 64), 7 + 24 + 12 + 3);
}

TEST(DramTiming, HitsOfARowFollowEachOtherOnTheBus) {
  for (const std::int64_t bursts : {2, 17, 32}) {
    EXPECT_EQ(end_of_block(kDram, train_from(0), 0, bursts * 64), 24 + 12 + 3 * bursts);
  }
}

TEST(DramTiming, RowsInOtherBanksOpenBehindTheBus) {
  // The window looks 16 bursts = 48 cycles ahead, the miss takes 36.
  EXPECT_EQ(end_of_block(kDram, train_from(0), 0, 9216 * 64), 24 + 12 + 3 * 9216);
}

TEST(DramTiming, OneOutstandingBurstPaysItsLatencyEachTime) {
  // Data end, released one cycle later, column access, bus.
  EXPECT_EQ(end_of_block(kDram, train_from(0, 1), 0, 8 * 64), 24 + 12 + 3 + 7 * (1 + 12 + 3));
}

TEST(DramTiming, TwoRowsOfOneBankPayTheMissInFull) {
  const DramTiming timing(kDram);
  DramState state = timing.initial_state();
  const std::int64_t first = timing.burst(state, 0, 0);
  EXPECT_EQ(first, 24 + 12 + 3);
  // Bank 0 again, eight rows on: its column is free B after the first access.
  const std::int64_t second = timing.burst(state, 8 * 2048, 1);
  EXPECT_EQ(second, (24 + 3) + 24 + 12 + 3);
  EXPECT_EQ(state.row_misses, 2);
  EXPECT_EQ(state.row_hits, 0);
}

// The fast path over rows of strided blocks equals one burst at a time.
TEST(DramTiming, BlockEqualsItsBursts) {
  std::mt19937_64 random(11);
  const auto pick = [&random](int least, int most) { return quadrille::pick(random, least, most); };
  std::int64_t streamed = 0;
  for (int round = 0; round < 400; ++round) {
    DramConfig config;
    config.burst_bytes = 16 << pick(0, 3);
    config.burst_cycles = pick(1, 6);
    config.row_bytes = config.burst_bytes * pick(1, 40);
    config.banks = pick(1, 9);
    config.row_hit_latency_cycles = pick(1, 20);
    config.row_miss_latency_cycles = pick(0, 40);
    const DramTiming timing(config);
    DramState fast = timing.initial_state();
    DramState slow = timing.initial_state();
    std::int64_t clock = pick(0, 50);
    for (int block = 0; block < 4; ++block) {
      BurstTrain train;
      train.window = pick(1, 20);
      train.spacing = pick(1, 3);
      train.release = pick(1, 6);
      train.rows = pick(1, 20);
      train.pitch_bytes = pick(0, 3000);
      train.begin(clock);
      BurstTrain reference = train;
      streamed += timing.streams(train) ? 1 : 0;
      const auto address = static_cast<std::uint64_t>(pick(0, 100000));
      const std::int64_t length = pick(1, 5000);
      const std::int64_t bursts = timing.block(fast, train, address, length);
      std::int64_t counted = 0;
      for (std::int64_t row = 0; row < reference.rows; ++row) {
        const std::int64_t begin = static_cast<std::int64_t>(address) + row * reference.pitch_bytes;
        for (std::int64_t at = begin / config.burst_bytes * config.burst_bytes; at < begin + length;
             at += config.burst_bytes, ++counted) {
          const std::int64_t issue = reference.next_issue();
          reference.record(issue, timing.burst(slow, static_cast<std::uint64_t>(at), issue));
        }
      }
      ASSERT_EQ(bursts, counted) << "round " << round;
      ASSERT_EQ(train.last_end(), reference.last_end()) << "round " << round;
      ASSERT_EQ(train.first_end(), reference.first_end()) << "round " << round;
      ASSERT_EQ(train.next_issue(), reference.next_issue()) << "round " << round;
      ASSERT_EQ(fast.bus_free, slow.bus_free) << "round " << round;
      ASSERT_EQ(fast.row_hits, slow.row_hits) << "round " << round;
      ASSERT_EQ(fast.row_misses, slow.row_misses) << "round " << round;
      clock = train.last_end() + pick(0, 30);
    }
  }
  EXPECT_GT(streamed, 100);
}

// One copy alone on the chip: t0 = 0, first issue at 1; then the device's
// closed form; then the last burst's word into its bank.
std::int64_t copy_cycles(const DmaCopy& copy, Timing timing, const ChipConfig& config = {}) {
  SimulationContext context;
  ChipOptions options;
  options.timing = timing;
  options.data = false;
  Chip chip("chip", config, options);
  Program program;
  program.nodes = {{"copy", "copy"}};
  program.commands.push_back({copy, {}, 0, "load_input", -1});
  chip.load(program);
  return chip.run().cycles;
}

TEST(DmaTiming, ContiguousReadAndWrite) {
  for (const Timing timing : {Timing::kTile, Timing::kBeat}) {
    for (const std::int64_t bursts : {1, 2, 16, 17, 40, 640}) {
      DmaCopy copy;
      copy.rows = 1;
      copy.row_bytes = bursts * 64;
      copy.dram_pitch_bytes = copy.scratchpad_pitch_bytes = copy.row_bytes;
      EXPECT_EQ(copy_cycles(copy, timing), 1 + 24 + 12 + 3 * bursts + 1) << bursts << " bursts";
      copy.to_scratchpad = false;
      // A word read (latency 2) goes before the first issue, nothing behind the last end.
      EXPECT_EQ(copy_cycles(copy, timing), 1 + 2 + 24 + 12 + 3 * bursts) << bursts << " bursts";
    }
  }
}

TEST(DmaTiming, TileEqualsBeatForStridedAndUnalignedCopies) {
  std::mt19937_64 random(5);
  const auto pick = [&random](int least, int most) { return quadrille::pick(random, least, most); };
  for (int round = 0; round < 60; ++round) {
    DmaCopy copy;
    copy.to_scratchpad = round % 2 == 0;
    copy.rows = pick(1, 40);
    copy.row_bytes = 64 * pick(1, 6);
    copy.dram_address = static_cast<std::uint64_t>(64 * pick(0, 1000));
    copy.dram_pitch_bytes = copy.row_bytes + 64 * pick(0, 40);
    copy.scratchpad_address = static_cast<std::uint64_t>(64 * pick(0, 1000));
    copy.scratchpad_pitch_bytes = copy.row_bytes + 64 * pick(0, 4);
    EXPECT_EQ(copy_cycles(copy, Timing::kTile), copy_cycles(copy, Timing::kBeat))
        << "round " << round;
  }
}

// Words narrower than a burst, rows of any length at any address: every burst has
// another number of bank accesses.
TEST(DmaTiming, TileEqualsBeatWhereBurstsTakeUnequalAccesses) {
  std::mt19937_64 random(6);
  const auto pick = [&random](int least, int most) { return quadrille::pick(random, least, most); };
  for (int round = 0; round < 120; ++round) {
    const ChipConfig config =
        app::read_chip_file(testbench::source_path("chips/small.yaml")).with([&](ChipValues& chip) {
          chip.scratchpad.word_bytes = 16 << pick(0, 3);
          chip.dma.outstanding_bursts = pick(1, 16);
        });
    DmaCopy copy;
    copy.to_scratchpad = round % 2 == 0;
    copy.rows = pick(1, 40);
    copy.row_bytes = pick(1, 300);
    copy.dram_address = static_cast<std::uint64_t>(pick(0, 5000));
    copy.dram_pitch_bytes = copy.row_bytes + (pick(0, 1) != 0 ? pick(0, 500) : 0);
    copy.scratchpad_address = static_cast<std::uint64_t>(pick(0, 5000));
    copy.scratchpad_pitch_bytes = copy.row_bytes + pick(0, 100);
    EXPECT_EQ(copy_cycles(copy, Timing::kTile, config), copy_cycles(copy, Timing::kBeat, config))
        << "round " << round;
  }
}

}  // namespace
}  // namespace quadrille::hw
