// Question: can every engine's RTL take its place in the whole chip, alone and all
// together, without changing a bit, a cycle or a counter? And does one wrong
// constant in it spoil the run?
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>

#include "app/config/chip_file.h"
#include "app/rtl/built_rtl.h"
#include "hw/engines/paired_body.h"
#include "hw/simulation_context.h"
#include "testbench/common/layer_program.h"
#include "testbench/common/source_tree.h"
#include "testbench/common/wrong_rtl.h"

namespace quadrille::hw {
namespace {

ChipConfig small_chip() { return app::read_chip_file(testbench::source_path("chips/small.yaml")); }

struct LayerRun {
  ChipResult result;
  std::vector<std::uint8_t> out;
};

LayerRun run_layer(const ChipConfig& config, const Mapping& mapping, const ChipOptions& options) {
  const SimulationContext context;
  Chip chip("chip", config, options);
  chip.load(mapping.program,
            [&](const Bytes& dram) { testing_layers::write_inputs(mapping, dram); });
  LayerRun run;
  run.result = chip.run();
  if (!options.data) return run;
  run.out = read_tensor(chip.dram(), mapping.tensor("out"));
  return run;
}

/// Every counter; those of values, and only they, may be null in RTL, whose pins do
/// not tell them.
void expect_same_counters(const CounterModule& beat, const CounterModule& rtl) {
  ASSERT_EQ(beat.counters().size(), rtl.counters().size());
  for (std::size_t i = 0; i < beat.counters().size(); ++i) {
    const Counter& expected = beat.counters()[i];
    const Counter& found = rtl.counters()[i];
    ASSERT_EQ(expected.name, found.name);
    if (found.value) {
      EXPECT_EQ(expected.value, found.value) << rtl.name() << " " << found.name;
    } else {
      EXPECT_TRUE(!expected.value || found.name == "saturated" || found.name == "uniform_rows")
          << rtl.name() << " " << found.name << " is null in RTL";
    }
  }
  ASSERT_EQ(beat.children().size(), rtl.children().size());
  for (std::size_t i = 0; i < beat.children().size(); ++i)
    expect_same_counters(beat.children()[i], rtl.children()[i]);
}

struct RtlLayer {
  const char* name;
  model::Mechanism mechanism;
  model::DamfMode mode;
  bool causal;
};

class ChipRtl : public testing::TestWithParam<RtlLayer> {
 protected:
  ChipRtl() : config_(small_chip()) {
    mapping_ = lower(config_, testing_layers::layer(GetParam().mechanism, 24, 64, 2, 32,
                                                    GetParam().causal, GetParam().mode));
    for (const std::string& engine : app::all_in_rtl(mapping_.program).rtl)
      engines_.push_back(engine);
  }

  LayerRun run(const std::set<std::string>& rtl, bool data) {
    ChipOptions options;
    options.timing = rtl.empty() ? Timing::kBeat : Timing::kTile;  // RTL implies beat timing.
    options.rtl = rtl;
    options.rtl_bodies = testbench::test_rtl_bodies();
    options.data = data;
    return run_layer(config_, mapping_, options);
  }

  /// Each engine alone, then all.
  std::vector<std::set<std::string>> selections() const {
    std::vector<std::set<std::string>> list;
    for (const std::string& engine : engines_) list.push_back({engine});
    if (engines_.size() > 1) list.emplace_back(engines_.begin(), engines_.end());
    return list;
  }

  ChipConfig config_;
  Mapping mapping_;
  std::vector<std::string> engines_;
};

TEST_P(ChipRtl, EachEngineAloneAndAllTogetherChangeNothing) {
  ASSERT_EQ(std::set<std::string>(engines_.begin(), engines_.end()),
            app::all_in_rtl(mapping_.program).rtl);
  for (const bool data : {true, false}) {
    const LayerRun beat = run({}, data);
    if (data) {
      EXPECT_NE(std::accumulate(beat.out.begin(), beat.out.end(), 0), 0);
    }
    for (const std::set<std::string>& rtl : selections()) {
      SCOPED_TRACE(testing::PrintToString(rtl) + (data ? " with data" : " without data"));
      const LayerRun found = run(rtl, data);
      EXPECT_EQ(beat.out, found.out);
      EXPECT_EQ(beat.result.cycles, found.result.cycles);
      expect_same_counters(beat.result.counters, found.result.counters);
      for (std::size_t i = 0; i < beat.result.records.size(); ++i) {
        ASSERT_EQ(beat.result.records[i].start_cycle, found.result.records[i].start_cycle) << i;
        ASSERT_EQ(beat.result.records[i].end_cycle, found.result.records[i].end_cycle) << i;
      }
    }
  }
}

TEST_P(ChipRtl, NoPinDiffersFromSystemcInAnyCycle) {
  ASSERT_EQ(std::set<std::string>(engines_.begin(), engines_.end()),
            app::all_in_rtl(mapping_.program).rtl);
  ChipOptions options;
  options.rtl = {engines_.begin(), engines_.end()};
  options.rtl_bodies = testbench::test_rtl_bodies();
  options.rtl_bodies.paired = true;
  const LayerRun pairs = run_layer(config_, mapping_, options);
  const LayerRun beat = run({}, true);
  EXPECT_EQ(pairs.out, beat.out);
  EXPECT_EQ(pairs.result.cycles, beat.result.cycles);
}

constexpr auto kMaclaurin = model::DamfMode::kMaclaurin;
INSTANTIATE_TEST_SUITE_P(
    Layers, ChipRtl,
    testing::Values(RtlLayer{"Softmax", model::Mechanism::kSoftmax, kMaclaurin, false},
                    RtlLayer{"SoftmaxCausal", model::Mechanism::kSoftmax, kMaclaurin, true},
                    RtlLayer{"Maclaurin", model::Mechanism::kDamf, kMaclaurin, false},
                    RtlLayer{"Shift", model::Mechanism::kDamf, model::DamfMode::kShift, true},
                    RtlLayer{"Collapsed", model::Mechanism::kDamf, model::DamfMode::kCollapsed,
                             false},
                    RtlLayer{"Sinkhorn", model::Mechanism::kSinkhorn, kMaclaurin, false},
                    RtlLayer{"SinkhornCausal", model::Mechanism::kSinkhorn, kMaclaurin, true},
                    RtlLayer{"Linear", model::Mechanism::kLinear, kMaclaurin, false},
                    RtlLayer{"LinearCausal", model::Mechanism::kLinear, kMaclaurin, true}),
    [](const auto& param) { return param.param.name; });

// One wrong constant in an engine's RTL: the chip's answer must come from the RTL
// and so be wrong, and beside the SystemC body the difference is found.
class WrongRtl : public testing::TestWithParam<testbench::WrongRtl> {
 protected:
  WrongRtl()
      : config_(small_chip()),
        mapping_(lower(config_, testing_layers::layer(GetParam().mechanism, 128, 64, 4, 16))) {
    options_.rtl = {GetParam().engine};
    options_.rtl_bodies = testbench::test_rtl_bodies(GetParam().engine);
  }

  ChipConfig config_;
  Mapping mapping_;
  ChipOptions options_;
};

TEST_P(WrongRtl, SpoilsTheRun) {
  ChipOptions right;
  right.timing = Timing::kBeat;
  EXPECT_NE(run_layer(config_, mapping_, right).out, run_layer(config_, mapping_, options_).out);
}

TEST_P(WrongRtl, IsFoundBesideTheSystemcBody) {
  options_.rtl_bodies.paired = true;
  try {
    run_layer(config_, mapping_, options_);
    FAIL() << "expected PinsDiffer";
  } catch (const PinsDiffer& found) {
    EXPECT_EQ(found.difference.engine, GetParam().engine);
    EXPECT_GE(found.difference.command, 0);
    EXPECT_GT(found.difference.cycle, 0);
    EXPECT_GT(found.difference.command_cycle, 0);
    EXPECT_LE(found.difference.command_cycle, found.difference.cycle);
    EXPECT_NE(found.difference.rtl, found.difference.systemc);
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, WrongRtl, testing::ValuesIn(testbench::wrong_rtl()),
                         [](const auto& param) { return std::string(param.param.engine); });

}  // namespace
}  // namespace quadrille::hw
