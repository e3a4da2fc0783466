// The DRAM's and the DMA's cycles against closed forms written down here, not
// taken from the model.
#include "hw/memory/dram_timing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "app/config/chip_file.h"
#include "app/config/dram_kind_file.h"
#include "app/files/shipped.h"
#include "hw/chip.h"
#include "hw/simulation_context.h"
#include "testbench/common/portable_random.h"
#include "testbench/common/source_tree.h"

namespace quadrille::hw {
namespace {

// B = 3, H = 12, M = 24 and rows of 32 bursts: the default device.
const DramDevice kDram = dram_device({}, 500e6);

constexpr std::int64_t kTicks = kTicksPerCycle;

BurstTrain train_from(std::int64_t first_issue, int window = 16) {
  BurstTrain train;
  train.window = window;
  train.begin(first_issue);
  return train;
}

std::int64_t end_of_block(const DramDevice& device, BurstTrain train, std::uint64_t address,
                          std::int64_t length, bool write = false) {
  const DramTiming timing(device);
  DramState state = timing.initial_state();
  timing.block(state, train, address, length, write);
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
  const std::int64_t first = timing.burst(state, 0, false, 0);
  EXPECT_EQ(first, 24 + 12 + 3);
  // Bank 0 again, eight rows on: its column is free B after the first access.
  const std::int64_t second = timing.burst(state, 8 * 2048, false, 1);
  EXPECT_EQ(second, (24 + 3) + 24 + 12 + 3);
  EXPECT_EQ(state.row_misses, 2);
  EXPECT_EQ(state.row_hits, 0);
}

// --- Kinds, against closed forms of their nanoseconds ---------------------------

/// The figures as their file has them, and the same device at a clock of 4 GHz or so.
struct Kind {
  explicit Kind(const std::string& name, double hz = 1e9)
      : clock_hz(hz),
        ns(app::read_dram_kind_file(testbench::source_path("technology/dram/" + name + ".yaml"))) {
    config.kind = name;
    config.figures = ns;
    config.burst_bytes = static_cast<int>(ns.burst_bytes());
    config.row_bytes = static_cast<int>(ns.row_bytes);
    config.banks = static_cast<int>(ns.banks);
  }
  DramDevice device() const { return dram_device(config, clock_hz); }
  double burst_ns() const { return 1e3 * ns.burst_length / ns.data_rate_mtps; }
  double cycle_ns() const { return 1e9 / clock_hz; }
  /// How far `events` figures, each rounded by half a tick at most, and one rounding
  /// of the end to a cycle can take a time.
  double slack_ns(double events) const { return cycle_ns() * (1.0 + events / (2.0 * kTicks)); }

  double clock_hz;
  DramKind ns;
  DramConfig config;
};

std::vector<std::string> kind_names() { return app::shipped_names(app::kDramKindFolder); }

TEST(DramKinds, FourOfThemShip) {
  EXPECT_EQ(kind_names(), (std::vector<std::string>{"ddr4-3200-x64", "hbm2e-3600-x128",
                                                    "lpddr4-3200-x16", "lpddr5-6400-x16"}));
}

TEST(DramKinds, AReadPaysActivationLatencyAndBus) {
  for (const std::string& name : kind_names()) {
    for (const double clock_hz : {333e6, 400e6, 1e9}) {
      const Kind kind(name, clock_hz);
      const DramTiming timing(kind.device());
      for (const bool write : {false, true}) {
        DramState state = timing.initial_state();
        const double expected = kind.ns.activate_to_column_ns + kind.burst_ns() +
                                (write ? kind.ns.write_latency_ns : kind.ns.read_latency_ns);
        const double found =
            kind.cycle_ns() * static_cast<double>(timing.burst(state, 0, write, 0));
        EXPECT_GE(found, expected - kind.slack_ns(3) + kind.cycle_ns()) << name;
        EXPECT_LE(found, expected + kind.slack_ns(3)) << name;
      }
    }
  }
}

/// Bursts back to back between refreshes; each refresh closes the rows, and the bus
/// waits for precharge, refresh, activation and the first data.
double sequential_read_ns(const Kind& kind, std::int64_t bursts) {
  const double first = kind.ns.activate_to_column_ns + kind.ns.read_latency_ns;
  const double behind_refresh = kind.ns.precharge_ns + kind.ns.refresh_ns + first;
  const auto fit = [&](double from) {
    return static_cast<std::int64_t>(
        std::floor((kind.ns.refresh_interval_ns - from) / kind.burst_ns()));
  };
  double from = 0.0;
  double lead = first;
  std::int64_t left = bursts;
  while (left > fit(lead)) {
    left -= fit(lead);
    from += kind.ns.refresh_interval_ns;
    lead = behind_refresh;
  }
  return from + lead + static_cast<double>(left) * kind.burst_ns();
}

TEST(DramKinds, SequentialReadsRunAtTheBusBetweenRefreshes) {
  for (const std::string& name : kind_names()) {
    // A cycle per burst, so that the DMA's issue does not bind.
    const Kind kind(name, 1e9);
    for (const std::int64_t bursts : {100, 1000, 20000, 300000}) {
      const double expected = sequential_read_ns(kind, bursts);
      const auto found = static_cast<double>(
          end_of_block(kind.device(), train_from(0, 512), 0, bursts * kind.config.burst_bytes));
      // Between refreshes every burst adds its own rounding. At a refresh the last burst
      // that fits may be one more or less, and behind it a second row may have to wait for
      // the gap between two activations.
      const double refreshes = expected / kind.ns.refresh_interval_ns;
      EXPECT_NEAR(found, expected,
                  kind.slack_ns(static_cast<double>(bursts)) +
                      refreshes * (kind.burst_ns() + kind.ns.activate_to_activate_ns))
          << name << ", " << bursts << " bursts";
    }
  }
}

TEST(DramKinds, RandomRowsOfOneBankPayTheRowCycle) {
  for (const std::string& name : kind_names()) {
    Kind kind(name, 1e9);
    kind.ns.refresh_interval_ns = kind.config.figures->refresh_interval_ns = 0.0;
    const DramTiming timing(kind.device());
    for (const bool write : {false, true}) {
      DramState state = timing.initial_state();
      const std::int64_t rows_apart = std::int64_t{kind.config.banks} * kind.config.row_bytes;
      std::int64_t first = 0;
      std::int64_t last = 0;
      constexpr int kRows = 200;
      for (int i = 0; i < kRows; ++i) {
        last = timing.burst(state, static_cast<std::uint64_t>(i * rows_apart), write, 0);
        if (i == 0) first = last;
      }
      EXPECT_EQ(state.row_misses, kRows);
      const double open = write ? kind.ns.activate_to_column_ns + kind.ns.write_latency_ns +
                                      kind.burst_ns() + kind.ns.write_recovery_ns
                                : kind.ns.activate_to_column_ns + kind.burst_ns();
      const double row_cycle =
          std::max(kind.ns.activate_to_precharge_ns, open) + kind.ns.precharge_ns;
      EXPECT_NEAR(static_cast<double>(last - first), (kRows - 1) * row_cycle,
                  kind.slack_ns(5 * kRows))
          << name << (write ? " writes" : " reads");
    }
  }
}

TEST(DramKinds, RandomRowsOfAllBanksAreBoundByBusOrActivations) {
  for (const std::string& name : kind_names()) {
    Kind kind(name, 1e9);
    kind.ns.refresh_interval_ns = kind.config.figures->refresh_interval_ns = 0.0;
    const DramTiming timing(kind.device());
    DramState state = timing.initial_state();
    constexpr int kRows = 800;
    std::int64_t first = 0;
    std::int64_t last = 0;
    for (int i = 0; i < kRows; ++i) {
      last = timing.burst(state, static_cast<std::uint64_t>(i) * kind.config.row_bytes, false, 0);
      if (i == 0) first = last;
    }
    EXPECT_EQ(state.row_misses, kRows);
    const double row_cycle = std::max(kind.ns.activate_to_precharge_ns,
                                      kind.ns.activate_to_column_ns + kind.burst_ns()) +
                             kind.ns.precharge_ns;
    const double each =
        std::max({kind.burst_ns(), kind.ns.activate_to_activate_ns, row_cycle / kind.config.banks});
    // Where the banks bind they go round together, and one round may be short of one.
    EXPECT_NEAR(static_cast<double>(last - first), (kRows - 1) * each,
                kind.slack_ns(5 * kRows) + row_cycle)
        << name;
  }
}

TEST(DramKinds, MixesOfReadsAndWritesPayTheTurnAroundOfTheBus) {
  for (const std::string& name : kind_names()) {
    Kind kind(name, 1e9);
    kind.ns.refresh_interval_ns = kind.config.figures->refresh_interval_ns = 0.0;
    const DramTiming timing(kind.device());
    for (const int same : {1, 4, 16}) {
      DramState state = timing.initial_state();
      // Runs of `same` reads and as many writes, all in one open row.
      const std::int64_t opened = timing.burst(state, 0, false, 0);
      constexpr int kTurns = 100;
      std::int64_t last = 0;
      for (int turn = 0; turn < kTurns; ++turn) {
        for (int i = 0; i < same; ++i) last = timing.burst(state, 0, turn % 2 == 0, 0);
      }
      const double to_read = kind.ns.write_to_read_ns + kind.ns.read_latency_ns;
      const double expected =
          kTurns * same * kind.burst_ns() + kTurns / 2 * (kind.ns.read_to_write_ns + to_read);
      EXPECT_NEAR(static_cast<double>(last - opened), expected, kind.slack_ns(kTurns * (same + 2)))
          << name << ", runs of " << same;
    }
  }
}

TEST(DramKinds, ChannelsShareAStreamBurstByBurst) {
  for (const std::string& name : kind_names()) {
    Kind kind(name, 10e9);  // The DMA issues ten bursts a nanosecond.
    constexpr std::int64_t kBursts = 80000;
    for (const int channels : {2, 4, 5, 8}) {
      kind.config.channels = channels;
      const double expected = sequential_read_ns(kind, (kBursts + channels - 1) / channels);
      const auto cycles = static_cast<double>(
          end_of_block(kind.device(), train_from(0, 4096), 0, kBursts * kind.config.burst_bytes));
      const double refreshes = expected / kind.ns.refresh_interval_ns;
      // The last channel's first burst is issued `channels` cycles later.
      EXPECT_NEAR(cycles * kind.cycle_ns(), expected,
                  kind.slack_ns(kBursts + channels * 2.0 * kTicks) +
                      refreshes * (kind.burst_ns() + kind.ns.activate_to_activate_ns +
                                   channels * kind.cycle_ns()))
          << name << ", " << channels << " channels";
    }
  }
}

TEST(DramKinds, ARefreshLetsNoBurstIntoItsWindow) {
  for (const std::string& name : kind_names()) {
    const Kind kind(name, 1e9);
    const DramDevice device = kind.device();
    const DramTiming timing(device);
    DramState state = timing.initial_state();
    std::mt19937_64 random(3);
    std::int64_t issue = 0;
    for (int i = 0; i < 20000; ++i) {
      issue += quadrille::pick(random, 0, 40);
      const auto address = static_cast<std::uint64_t>(quadrille::pick(random, 0, 1 << 28));
      const std::int64_t hits = state.row_hits;
      timing.burst(state, address, quadrille::pick(random, 0, 1) == 1, issue);
      const std::int64_t end = state.channels[0].bus_free;
      const std::int64_t start = end - device.burst;
      const std::int64_t since = start % device.refresh_interval;
      if (start < device.refresh_interval) continue;
      EXPECT_EQ(start / device.refresh_interval, (end - 1) / device.refresh_interval) << name;
      EXPECT_GE(since, device.refresh) << name;
      // The first burst behind a refresh finds its row closed.
      if (since < device.refresh + device.activate) {
        EXPECT_EQ(state.row_hits, hits) << name;
      }
    }
  }
}

// --- Many bursts at once ---------------------------------------------------------

DramDevice random_device(std::mt19937_64& random) {
  const auto pick = [&random](int least, int most) { return quadrille::pick(random, least, most); };
  // Whole cycles half the time, ticks otherwise.
  const std::int64_t unit = pick(0, 1) != 0 ? kTicks : pick(1, static_cast<int>(kTicks));
  const auto time = [&](int least, int most) { return pick(least, most) * unit; };
  DramDevice device;
  device.channels = pick(0, 1) != 0 ? 1 : pick(2, 8);
  device.banks = pick(1, 9);
  device.burst_bytes = 16 << pick(0, 3);
  device.row_bytes = device.burst_bytes * pick(1, 60);
  device.burst = time(1, 6);
  device.read_latency = time(1, 20);
  device.write_latency = time(1, 20);
  device.activate = time(0, 40);
  if (pick(0, 2) == 0) return device;
  device.precharge = time(0, 20);
  device.least_open = time(0, 60);
  device.activate_gap = time(0, 8);
  device.write_recovery = time(0, 30);
  device.to_write = time(0, 5);
  device.to_read = time(0, 30);
  if (pick(0, 2) == 0) return device;
  device.refresh = time(1, 200);
  device.refresh_interval = device.refresh + time(300, 2000);
  return device;
}

struct Block {
  BurstTrain train;
  std::uint64_t address = 0;
  std::int64_t length = 0;
  bool write = false;
};

Block random_block(std::mt19937_64& random, std::int64_t clock) {
  const auto pick = [&random](int least, int most) { return quadrille::pick(random, least, most); };
  Block block;
  BurstTrain& train = block.train;
  train.window = pick(0, 2) == 0 ? pick(1, 20) : pick(20, 200);
  train.spacing = pick(1, 3);
  train.release = pick(1, 6);
  const bool strided = pick(0, 1) != 0;
  train.rows = strided ? pick(1, 20) : 1;
  train.pitch_bytes = pick(0, 3000);
  train.begin(clock);
  block.address = static_cast<std::uint64_t>(pick(0, 100000));
  block.length = strided ? pick(1, 5000) : pick(1, 60000);
  block.write = pick(0, 2) == 0;
  return block;
}

std::int64_t one_by_one(const DramDevice& device, const DramTiming& timing, DramState& state,
                        Block& block) {
  std::int64_t counted = 0;
  for (std::int64_t row = 0; row < block.train.rows; ++row) {
    const std::int64_t begin =
        static_cast<std::int64_t>(block.address) + row * block.train.pitch_bytes;
    for (std::int64_t at = begin / device.burst_bytes * device.burst_bytes;
         at < begin + block.length; at += device.burst_bytes, ++counted) {
      const std::int64_t issue = block.train.next_issue();
      block.train.record(issue,
                         timing.burst(state, static_cast<std::uint64_t>(at), block.write, issue));
    }
  }
  return counted;
}

void expect_same(const DramState& fast, const DramState& slow) {
  ASSERT_EQ(fast.row_hits, slow.row_hits);
  ASSERT_EQ(fast.row_misses, slow.row_misses);
  for (std::size_t c = 0; c < fast.channels.size(); ++c) {
    const DramState::Channel& a = fast.channels[c];
    const DramState::Channel& b = slow.channels[c];
    ASSERT_EQ(a.bus_free, b.bus_free);
    ASSERT_EQ(a.last_activate, b.last_activate);
    ASSERT_EQ(a.refresh_at, b.refresh_at);
    ASSERT_EQ(a.wrote, b.wrote);
    for (std::size_t i = 0; i < a.banks.size(); ++i) {
      ASSERT_EQ(a.banks[i].open_row, b.banks[i].open_row);
      ASSERT_EQ(a.banks[i].column_free, b.banks[i].column_free);
      ASSERT_EQ(a.banks[i].row_free, b.banks[i].row_free);
    }
  }
}

// The fast path over rows of strided blocks equals one burst at a time, in every end
// that a later burst can see and in the whole state of the device.
TEST(DramTiming, BlockEqualsItsBursts) {
  std::mt19937_64 random(11);
  std::int64_t skipped_by_one = 0;
  std::int64_t skipped_by_many = 0;
  std::int64_t all = 0;
  for (int round = 0; round < 4000; ++round) {
    SCOPED_TRACE(round);
    const DramDevice device = random_device(random);
    const DramTiming timing(device);
    DramState fast = timing.initial_state();
    DramState slow = timing.initial_state();
    std::int64_t clock = quadrille::pick(random, 0, 50);
    for (int i = 0; i < 4; ++i) {
      Block block = random_block(random, clock);
      Block reference = block;
      const std::int64_t bursts =
          timing.block(fast, block.train, block.address, block.length, block.write);
      ASSERT_EQ(bursts, one_by_one(device, timing, slow, reference));
      all += bursts;
      ASSERT_EQ(block.train.bursts(), bursts);
      ASSERT_EQ(block.train.first_end(), reference.train.first_end());
      ASSERT_EQ(block.train.last_end(), reference.train.last_end());
      ASSERT_EQ(block.train.last_issue(), reference.train.last_issue());
      ASSERT_EQ(block.train.next_issue(), reference.train.next_issue());
      for (std::int64_t slot = 0; slot < block.train.window; ++slot)
        ASSERT_EQ(block.train.slot_free(slot), reference.train.slot_free(slot)) << slot;
      expect_same(fast, slow);
      if (testing::Test::HasFatalFailure()) return;
      clock = block.train.last_end() + quadrille::pick(random, 0, 30);
    }
    (device.channels == 1 ? skipped_by_one : skipped_by_many) += fast.skipped;
  }
  // Else nothing was compared with anything.
  EXPECT_GT(skipped_by_one, all / 10);
  EXPECT_GT(skipped_by_many, all / 20);
}

// What is looked at one by one is a round over the channels per row and refresh, and
// what is left over of a row.
TEST(DramTiming, LongBlocksCostAFewBurstsPerRow) {
  for (const std::string& name : kind_names()) {
    for (const int channels : {1, 2, 4}) {
      Kind kind(name, 400e6);
      kind.config.channels = channels;
      const DramTiming timing(kind.device());
      DramState state = timing.initial_state();
      BurstTrain train = train_from(0, 256);
      constexpr std::int64_t kBytes = 8 << 20;
      const std::int64_t bursts = timing.block(state, train, 0, kBytes, false);
      const std::int64_t rows = kBytes / kind.config.row_bytes / channels;
      const auto refreshes =
          static_cast<std::int64_t>(static_cast<double>(train.last_end()) / kind.clock_hz * 1e9 /
                                    kind.ns.refresh_interval_ns) +
          1;
      EXPECT_LE(bursts - state.skipped, (rows + 2 * refreshes) * 2 * channels)
          << name << ", " << channels << " channels, " << bursts << " bursts";
    }
  }
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
