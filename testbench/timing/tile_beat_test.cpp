// Timing `tile` against timing `beat` over a published list of layers:
// docs/tile_vs_beat.md is regenerated here and compared, line by line.
//
// Set QUADRILLE_BLESS=1 to write the page instead of comparing it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>

#include "app/config/chip_file.h"
#include "hw/chip.h"
#include "hw/mapper/mapping.h"
#include "hw/simulation_context.h"
#include "testbench/common/layer_program.h"
#include "testbench/common/published_page.h"
#include "testbench/common/source_tree.h"

namespace quadrille {
namespace {

/// ONNXim publishes this as its mean absolute error against RTL.
constexpr double kBoundPercent = 0.23;

struct LayerCase {
  const char* chip;
  const char* mechanism;
  int tokens;
  int model_width;
  int heads;
  bool causal;
};

std::vector<LayerCase> cases() {
  std::vector<LayerCase> list;
  for (const char* mechanism :
       {"softmax", "maclaurin", "shift", "collapsed", "sinkhorn", "linear"}) {
    for (const bool causal : {false, true}) {
      list.push_back({"default", mechanism, 128, 768, 12, causal});
      list.push_back({"default", mechanism, 128, 512, 8, causal});
      list.push_back({"default", mechanism, 33, 256, 4, causal});
      list.push_back({"default", mechanism, 384, 256, 4, causal});
      list.push_back({"small", mechanism, 32, 64, 4, causal});
      list.push_back({"small", mechanism, 7, 128, 8, causal});
      list.push_back({"small", mechanism, 128, 128, 8, causal});
    }
  }
  return list;
}

model::IntegerGraph layer_of(const LayerCase& item) {
  const std::string name = item.mechanism;
  model::DamfMode mode = model::DamfMode::kMaclaurin;
  if (name == "shift") mode = model::DamfMode::kShift;
  if (name == "collapsed") mode = model::DamfMode::kCollapsed;
  return testing_layers::layer(name == "softmax"    ? model::Mechanism::kSoftmax
                               : name == "sinkhorn" ? model::Mechanism::kSinkhorn
                               : name == "linear"   ? model::Mechanism::kLinear
                                                    : model::Mechanism::kDamf,
                               item.tokens, item.model_width, item.heads,
                               item.model_width / item.heads, item.causal, mode);
}

std::int64_t cycles(const hw::ChipConfig& chip, const model::IntegerGraph& layer,
                    hw::Timing timing) {
  hw::Mapping mapping = hw::lower(chip, layer);
  const hw::SimulationContext context;
  hw::ChipOptions options;
  options.timing = timing;
  options.data = false;
  hw::Chip body("chip", chip, options);
  body.load(std::move(mapping.program));
  return body.run().cycles;
}

struct Comparison {
  std::string page;
  double mean_percent = 0.0;
};

Comparison compare_all() {
  std::string rows;
  double sum = 0.0;
  double worst = -1.0;
  std::string worst_name;
  const auto list = cases();
  for (const LayerCase& item : list) {
    const hw::ChipConfig chip =
        app::read_chip_file(fmt::format("{}/chips/{}.yaml", testbench::source_folder(), item.chip));
    const auto layer = layer_of(item);
    const std::int64_t tile = cycles(chip, layer, hw::Timing::kTile);
    const std::int64_t beat = cycles(chip, layer, hw::Timing::kBeat);
    const double percent = 100.0 * static_cast<double>(tile - beat) / static_cast<double>(beat);
    const std::string name =
        fmt::format("{} | {}{} | {} | {} | {}", item.chip, item.mechanism,
                    item.causal ? ", causal" : "", item.tokens, item.model_width, item.heads);
    rows += fmt::format("| {} | {} | {} | {:+.3f} |\n", name, tile, beat, percent);
    sum += std::fabs(percent);
    if (std::fabs(percent) > worst) {
      worst = std::fabs(percent);
      worst_name = name;
    }
  }
  Comparison result;
  result.mean_percent = sum / static_cast<double>(list.size());
  result.page = fmt::format(
      "# Timing `tile` against timing `beat`\n\n"
      "Written by `test_timing --gtest_filter=TileAgainstBeat.*` with "
      "`QUADRILLE_BLESS=1`, and\n"
      "held to this page by the same test. `beat` arbitrates the scratchpad's "
      "banks in every\n"
      "cycle; `tile` neglects their conflicts.\n\n"
      "Mean absolute error {:.3f} % of the cycles over {} layers (bound: {} "
      "%). Worst case:\n"
      "{:.3f} %, {}.\n\n"
      "| chip | mechanism | L | d | heads | tile, cycles | beat, cycles | "
      "error, % |\n"
      "|---|---|---|---|---|---|---|---|\n{}",
      result.mean_percent, list.size(), kBoundPercent, worst, worst_name, rows);
  return result;
}

TEST(TileAgainstBeat, StaysWithinTheBoundAndIsWhatThePagePublishes) {
  const Comparison found = compare_all();
  EXPECT_LE(found.mean_percent, kBoundPercent);
  testbench::expect_published("tile_vs_beat.md", found.page);
}

}  // namespace
}  // namespace quadrille
