// Question: does the DAMF engine count what the loops that execute add up to?
#include <gtest/gtest.h>

#include "hw/engines/damf/damf_engine.h"
#include "model/analytic/attention_counts.h"

namespace quadrille {
namespace {

using namespace hw;
using model::DamfMode;

TEST(DamfActivity, MacsEqualTheExecutedLoopsAndTheWorkload) {
  int compared = 0;
  for (const DamfConfig& config : {DamfConfig{4, 2, 512, 256}, DamfConfig{64, 16, 512, 256}}) {
    for (const int tokens : {1, 7, 16, 33}) {
      for (const int width : {3, 4, 64, 65}) {
        for (const bool causal : {false, true}) {
          for (const DamfMode mode : {DamfMode::kMaclaurin, DamfMode::kShift}) {
            DamfAttend command;
            command.tokens = tokens;
            command.width = width;
            command.settings.mode = mode;
            command.settings.causal = causal;
            const Activity activity = DamfEngine(config).activity(command);
            std::int64_t scores = 0;  // s t products executed
            std::int64_t terms = 0;   // weight V lanes executed
            std::int64_t useful = 0;  // visible pairs
            std::int64_t useful_terms = 0;
            for (int first = 0; first < tokens; first += config.query_rows) {
              const int keys = causal ? std::min(first + config.query_rows, tokens) : tokens;
              for (int column = 0; column < width; column += config.lanes) {
                for (int n = 0; n < keys; ++n) {
                  for (int row = first; row < first + config.query_rows; ++row) {
                    const bool visible = row < tokens && (!causal || n <= row);
                    ++scores;
                    useful += visible && column == 0 ? 1 : 0;
                    for (int lane = 0; lane < config.lanes; ++lane) {
                      ++terms;
                      useful_terms += visible && column + lane < width ? 1 : 0;
                    }
                  }
                }
              }
            }
            const bool macs = mode == DamfMode::kMaclaurin;
            EXPECT_EQ(activity.macs_static, 0);
            EXPECT_EQ(activity.macs_dynamic, useful + (macs ? useful_terms : 0));
            EXPECT_EQ(activity.macs_dynamic + activity.macs_wasted, scores + (macs ? terms : 0));
            EXPECT_EQ(activity.shift_adds, macs ? 0 : 2 * useful_terms);
            EXPECT_EQ(activity.reciprocals, macs ? tokens : 0);
            ++compared;
          }
        }
      }
    }
  }
  EXPECT_EQ(compared, 2 * 4 * 4 * 2 * 2);
}

TEST(DamfActivity, CollapsedAndProjectEqualTheAnalyticCounts) {
  const DamfConfig config;
  for (const bool causal : {false, true}) {
    DamfAttend command;
    command.tokens = 50;
    command.width = 64;
    command.settings.mode = DamfMode::kCollapsed;
    command.settings.causal = causal;
    DamfProject project;
    project.tokens = 50;
    project.width = 64;
    const Activity attend = DamfEngine(config).activity(command);
    const Activity inner = DamfEngine(config).activity(project);
    const auto counts = model::damf_counts({50, 64, 1}, command.settings);
    // The workload's two projections of V and of the output are the CIM's.
    const std::int64_t elsewhere = 2 * 50 * 64 * 64;
    EXPECT_EQ(inner.macs_static, counts.total(model::CountKind::kStaticMac) - elsewhere);
    EXPECT_EQ(attend.macs_dynamic, counts.total(model::CountKind::kDynamicMac));
    EXPECT_EQ(attend.reciprocals, counts.total(model::CountKind::kReciprocal));
    EXPECT_EQ(attend.macs_wasted, 0);
    EXPECT_EQ(inner.macs_wasted, 0);
  }
  DamfProject padded;
  padded.tokens = 3;
  padded.width = 65;
  EXPECT_EQ(DamfEngine(config).activity(padded).macs_static, 2 * 3 * 65);
  EXPECT_EQ(DamfEngine(config).activity(padded).macs_wasted, 2 * 3 * 63);
  EXPECT_EQ(DamfEngine(config).activity(padded).requantises, 6);
}

}  // namespace
}  // namespace quadrille
