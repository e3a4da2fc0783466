// Is every chip that the configuration accepts a chip that can be put together,
// priced and run?
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "app/config/dram_kind_file.h"
#include "app/config/technology_file.h"
#include "app/files/shipped.h"
#include "hw/chip.h"
#include "hw/chip_keys.h"
#include "hw/energy/energy.h"
#include "hw/simulation_context.h"
#include "model/errors.h"
#include "testbench/common/environment.h"
#include "testbench/common/portable_random.h"
#include "testbench/common/source_tree.h"

namespace quadrille::hw {
namespace {

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed) {}

  int below(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }

  /// Any allowed value of the key: at an end of its range, or log-uniform in it.
  ChipKeyValue value(const ChipKey& key) {
    using Kind = ChipKey::Kind;
    if (key.kind == Kind::kBoolean) return below(2) == 0;
    if (key.kind == Kind::kWord)
      return key.words[static_cast<std::size_t>(below(static_cast<int>(key.words.size())))];
    if (key.kind == Kind::kText) return std::string("cmos28");
    const double drawn = number(key);
    if (key.kind == Kind::kReal) return drawn;
    if (key.power_of_two) return std::int64_t{1} << std::lround(std::floor(std::log2(drawn)));
    return static_cast<std::int64_t>(drawn);
  }

 private:
  double number(const ChipKey& key) {
    const int end = below(8);
    if (end == 0) return key.least;
    if (end == 1) return key.most;
    const double from = key.least + 1.0;  // Zero has no logarithm.
    const double to = key.most + 1.0;
    return from * std::pow(to / from, portable_uniform(random_)) - 1.0;
  }

  std::mt19937_64 random_;
};

/// A shipped kind of DRAM, or what the keys say.
void draw_dram_kind(ChipValues& chip, Draw& draw) {
  std::vector<std::string> names = app::shipped_names(app::kDramKindFolder);
  names.emplace_back(kPlainDram);
  chip.dram.kind = names[static_cast<std::size_t>(draw.below(static_cast<int>(names.size())))];
  chip.dram.figures.reset();
  if (chip.dram.kind == kPlainDram) return;
  chip.dram.figures = app::read_dram_kind_file(
      testbench::source_path("technology/dram/" + chip.dram.kind + ".yaml"));
}

/// The default chip with some keys drawn anew. A third of them lie in one section,
/// where keys ask of each other.
ChipValues drawn_chip(Draw& draw) {
  const std::vector<ChipKey>& keys = chip_keys();
  const auto any = [&] {
    return static_cast<std::size_t>(draw.below(static_cast<int>(keys.size())));
  };
  ChipValues chip;
  const bool one_section = draw.below(3) == 0;
  const std::string section = keys[any()].section();
  const int changes = 1 + draw.below(6);
  for (int change = 0; change < changes;) {
    const ChipKey& key = keys[any()];
    if (one_section && key.section() != section) continue;
    if (key.name == "dram.kind") {
      draw_dram_kind(chip, draw);
    } else if (key.name != "name") {
      key.set(chip, draw.value(key));
    }
    ++change;
  }
  return chip;
}

std::string described(const ChipValues& chip) {
  const ChipValues standard;
  std::string text;
  for (const ChipKey& key : chip_keys()) {
    if (key.text(chip) != key.text(standard))
      text += fmt::format("{}={} ", key.name, key.text(chip));
  }
  return text;
}

/// Cycles of a copy of some rows to the scratchpad and of its way back.
std::int64_t copy_cycles(const ChipConfig& config, Timing timing) {
  SimulationContext context;
  ChipOptions options;
  options.timing = timing;
  options.data = false;
  Chip chip("chip", config, options);
  DmaCopy copy;
  copy.rows = 3;
  copy.row_bytes = std::min<std::int64_t>(100, config.scratchpad.capacity_bytes / 4);
  copy.dram_pitch_bytes = copy.scratchpad_pitch_bytes = copy.row_bytes;
  Program program;
  program.nodes = {{"copy", "copy"}};
  program.commands.push_back({copy, {}, 0, "load_input", -1});
  copy.to_scratchpad = false;
  program.commands.push_back({copy, {0}, 0, "store_output", -1});
  chip.load(program);
  return chip.run().cycles;
}

TEST(RandomChips, AreRefusedOrCanBeBuiltPricedAndRun) {
  const std::uint64_t seed = testbench::test_seed(20261130);
  const Technology technology =
      app::read_technology_file(testbench::source_path("technology/cmos28.yaml"));
  Draw draw(seed);
  int accepted = 0;
  constexpr int kChips = 3000;
  for (int i = 0; i < kChips; ++i) {
    const ChipValues values = drawn_chip(draw);
    SCOPED_TRACE(fmt::format("seed {}, chip {}: {}", seed, i, described(values)));
    try {
      const ChipConfig chip = resolve(values);
      ++accepted;
      const double area = total(area_um2(chip, technology));
      EXPECT_TRUE(std::isfinite(area) && area > 0.0) << area;
      const std::int64_t tile = copy_cycles(chip, Timing::kTile);
      EXPECT_GT(tile, 0);
      EXPECT_EQ(copy_cycles(chip, Timing::kBeat), tile);
      EXPECT_TRUE(std::isfinite(total(static_energy_pj(chip, technology, tile))));
    } catch (const InputError& error) {
      EXPECT_EQ(std::string(error.what()).rfind("chip: ", 0), 0U) << error.what();
    } catch (const std::exception& error) {
      ADD_FAILURE() << error.what();
    }
    if (HasFailure()) return;
  }
  fmt::print("seed {}: {} of {} chips accepted\n", seed, accepted, kChips);
  EXPECT_GT(accepted, kChips / 5);
}

}  // namespace
}  // namespace quadrille::hw
