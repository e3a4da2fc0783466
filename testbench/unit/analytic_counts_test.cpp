// Closed forms: the DAMF document's printed numbers, and counts held against
// loops that do nothing but count.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/analytic/attention_counts.h"
#include "model/analytic/damf_tables.h"
#include "model/errors.h"

namespace quadrille::model {
namespace {

TableCount paper(TableDesign design, const LayerDimensions& shape) {
  return table_count(design, TableReading::kPaper, shape);
}
TableCount complete(TableDesign design, const LayerDimensions& shape) {
  return table_count(design, TableReading::kComplete, shape);
}

const LayerDimensions kBase = bert_base_shape();
const LayerDimensions kSmall = bert_small_shape();
const std::vector<LayerDimensions> kShapes = {
    kBase, kSmall, {1, 1, 1}, {1, 64, 4}, {7, 24, 3}, {33, 96, 12}, {1 << 20, 768, 12}};

std::vector<DamfSettings> all_settings() {
  std::vector<DamfSettings> all;
  for (const DamfMode mode : {DamfMode::kMaclaurin, DamfMode::kShift, DamfMode::kCollapsed}) {
    for (const DamfMaximum maximum : {DamfMaximum::kGlobal, DamfMaximum::kRow, DamfMaximum::kAbs}) {
      for (const DamfShiftOrder order : {DamfShiftOrder::kLast, DamfShiftOrder::kEach}) {
        for (const bool causal : {false, true}) {
          DamfSettings settings;
          settings.mode = mode;
          settings.maximum = maximum;
          settings.shift_order = order;
          settings.causal = causal;
          all.push_back(settings);
        }
      }
    }
  }
  return all;
}

// ---------------------------------------------------------------------------
// Table II: every printed digit

struct PrintedLine {
  TableDesign design;
  LayerDimensions shape;
  const char* parameters;
  const char* dynamic;
  const char* total;
  const char* ratio;
};

TEST(DamfTable2, EveryPrintedDigit) {
  const PrintedLine lines[] = {
      {TableDesign::kBaseline, kBase, "9.00", "12.78", "314.77", "4.06%"},
      {TableDesign::kBaseline, kSmall, "4.00", "8.52", "142.74", "5.97%"},
      {TableDesign::kDamf, kBase, "4.51", "0.03", "153.39", "0.02%"},
  };
  for (const PrintedLine& line : lines) {
    const TableCount count = paper(line.design, line.shape);
    EXPECT_EQ(fmt::format("{:.2f}", count.parameters_mib()), line.parameters);
    EXPECT_EQ(in_millions(count.macs_dynamic), line.dynamic);
    EXPECT_EQ(in_millions(count.macs_total()), line.total);
    EXPECT_EQ(in_percent(count.dynamic_ratio()), line.ratio);
  }
}

TEST(DamfTable2, StaticPartsOfTheReconstruction) {
  EXPECT_EQ(in_millions(paper(TableDesign::kBaseline, kBase).macs_static), "301.99");
  EXPECT_EQ(in_millions(paper(TableDesign::kBaseline, kSmall).macs_static), "134.22");
  EXPECT_EQ(in_millions(paper(TableDesign::kDamf, kBase).macs_static), "153.35");
  EXPECT_EQ(paper(TableDesign::kDamf, kBase).macs_dynamic, 32768);
}

TEST(DamfTable2, CompleteReading) {
  const TableCount damf = complete(TableDesign::kDamf, kBase);
  EXPECT_EQ(fmt::format("{:.2f}", damf.parameters_mib()), "4.57") << "24 vectors, not 2";
  EXPECT_EQ(in_millions(damf.macs_dynamic), "0.39");
  EXPECT_EQ(in_millions(complete(TableDesign::kBaseline, kBase).macs_dynamic), "25.17");
  // "a 32x reduction, not 426x": the paper's baseline over all heads.
  EXPECT_EQ(paper(TableDesign::kBaseline, kBase).macs_dynamic / damf.macs_dynamic, 32);
}

TEST(DamfTable2, Ratios) {
  const std::vector<PrintedRatio> ratios = printed_ratios();
  ASSERT_EQ(ratios.size(), 6u);
  const auto cut = [](double ratio) { return fmt::format("{:.4f}", ratio).substr(0, 4); };
  EXPECT_EQ(ratios[0].printed, "1.99");
  EXPECT_EQ(cut(ratios[0].from_printed), "1.99");
  EXPECT_EQ(cut(ratios[0].exact), "1.99") << "1.997: printed cut, not rounded";
  EXPECT_EQ(ratios[1].printed, fmt::format("{:.0f}", ratios[1].from_printed));
  EXPECT_EQ(ratios[1].printed, "284");
  EXPECT_DOUBLE_EQ(ratios[1].exact, 260.0);
  EXPECT_EQ(ratios[2].printed, fmt::format("{:.0f}", ratios[2].from_printed));
  EXPECT_EQ(ratios[2].printed, "426");
  EXPECT_DOUBLE_EQ(ratios[2].exact, 390.0);
  EXPECT_DOUBLE_EQ(ratios[2].complete, 64.0);
  EXPECT_EQ(ratios[3].printed, fmt::format("{:.2f}", ratios[3].exact));
  EXPECT_EQ(ratios[3].printed, "2.21");
  EXPECT_EQ(fmt::format("{:.2f}", ratios[3].from_printed), "2.21");
  EXPECT_EQ(fmt::format("{:.2f}", ratios[4].exact), "2.05");
  EXPECT_EQ(fmt::format("{:.2f}", ratios[4].from_printed), "2.05");
  EXPECT_EQ(ratios[5].printed, fmt::format("{:.2f}", ratios[5].exact));
  EXPECT_EQ(ratios[5].printed, "2.71");
}

TEST(DamfFigure5, Words) {
  EXPECT_EQ(sum(figure5_words(TableDesign::kBaseline, kBase)), 516096);
  EXPECT_EQ(sum(figure5_words(TableDesign::kDamf, kBase)), 190464);
  EXPECT_EQ(fmt::format("{:.4f}", 516096.0 / 190464.0), "2.7097");
}

TEST(DamfDifferences, SumExactly) {
  for (const LayerDimensions& shape : kShapes) {
    for (const TableDesign design : {TableDesign::kBaseline, TableDesign::kDamf}) {
      EXPECT_EQ(sum(complete_minus_paper(design, shape)),
                complete(design, shape).macs_total() - paper(design, shape).macs_total())
          << shape.length << ' ' << shape.width << ' ' << shape.heads;
    }
    for (const DamfSettings& settings : all_settings()) {
      EXPECT_EQ(
          sum(executed_minus_complete(shape, settings)),
          damf_counts(shape, settings).macs() - complete(TableDesign::kDamf, shape).macs_total())
          << shape.length << ' ' << shape.width << ' ' << shape.heads;
    }
  }
}

TEST(DamfDifferences, OfBertBase) {
  const auto baseline = complete_minus_paper(TableDesign::kBaseline, kBase);
  ASSERT_EQ(baseline.size(), 2u);
  EXPECT_EQ(baseline[0].macs, 12'582'912) << "A' V";
  EXPECT_EQ(baseline[1].macs, -196'608);
  const auto damf = complete_minus_paper(TableDesign::kDamf, kBase);
  ASSERT_EQ(damf.size(), 1u);
  EXPECT_EQ(damf[0].macs, 360'448) << "eleven heads";
}

TEST(DamfTable2, CompleteBaselineIsWhatIsExecuted) {
  for (const LayerDimensions& shape : kShapes) {
    const AttentionCounts counts = softmax_counts(shape, false);
    EXPECT_EQ(counts.macs_static(), complete(TableDesign::kBaseline, shape).macs_static);
    EXPECT_EQ(counts.macs_dynamic(), complete(TableDesign::kBaseline, shape).macs_dynamic);
    EXPECT_EQ(damf_counts(shape, {}).macs_static(),
              complete(TableDesign::kDamf, shape).macs_static);
  }
}

// ---------------------------------------------------------------------------
// Counts against loops

using Tally = std::map<CountKind, std::int64_t>;

Tally totals(const AttentionCounts& counts) {
  Tally tally;
  for (const CountRow& row : counts.rows) {
    EXPECT_GT(row.count, 0) << row.name;
    tally[row.kind] += row.count;
  }
  return tally;
}

/// y[L, n] = x[L, k] w[k, n], counted.
void project(Tally* tally, std::int64_t l, std::int64_t k, std::int64_t n) {
  for (std::int64_t i = 0; i < l; ++i) {
    for (std::int64_t j = 0; j < n; ++j) (*tally)[CountKind::kStaticMac] += k;
  }
}

Tally softmax_by_loops(const LayerDimensions& shape, bool causal) {
  Tally tally;
  const std::int64_t h = shape.head_width();
  for (int matrix = 0; matrix < 4; ++matrix)
    project(&tally, shape.length, shape.width, shape.width);
  for (std::int64_t head = 0; head < shape.heads; ++head) {
    for (std::int64_t m = 0; m < shape.length; ++m) {
      for (std::int64_t n = 0; n < shape.length; ++n) {
        if (causal && n > m) continue;
        tally[CountKind::kDynamicMac] += 2 * h;  // q·k, weight times V_n
        ++tally[CountKind::kCompare];
        ++tally[CountKind::kExponential];
        ++tally[CountKind::kAddition];
      }
      ++tally[CountKind::kReciprocal];
      tally[CountKind::kMultiply] += h;
    }
  }
  return tally;
}

Tally damf_by_loops(const LayerDimensions& shape, const DamfSettings& settings) {
  Tally tally;
  const std::int64_t h = shape.head_width();
  const std::int64_t l = shape.length;
  const bool magnitude = settings.maximum == DamfMaximum::kAbs;
  project(&tally, l, shape.width, shape.width);
  project(&tally, l, shape.width, shape.width);
  for (std::int64_t head = 0; head < shape.heads; ++head) {
    project(&tally, l, shape.width, 2);
    const bool whole = !settings.causal && settings.maximum != DamfMaximum::kRow;
    if (whole && !magnitude) {
      tally[CountKind::kMultiply] += 4;  // max s max t, max s min t, min s max t, min s min t
      tally[CountKind::kCompare] += 4;
    } else if (whole) {
      tally[CountKind::kMultiply] += 1;  // max |s| max |t|
    }
    for (std::int64_t token = 0; token < l; ++token) {
      const int extremes = magnitude ? 1 : 2;
      tally[CountKind::kCompare] += extremes;             // t joins its maximum (and minimum)
      if (whole) tally[CountKind::kCompare] += extremes;  // and so does s
      if (!whole) {
        tally[CountKind::kMultiply] += extremes;  // s_m times the extremes of t
        tally[CountKind::kCompare] += extremes;   // each against A_max
      }
    }
    for (std::int64_t m = 0; m < l; ++m) {
      if (settings.mode == DamfMode::kCollapsed) {
        for (std::int64_t c = 0; c < h; ++c) {
          ++tally[CountKind::kAddition];       // ΣV
          ++tally[CountKind::kDynamicMac];     // Σ tV
          tally[CountKind::kDynamicMac] += 2;  // readout
        }
        ++tally[CountKind::kAddition];     // Σ t
        tally[CountKind::kMultiply] += 2;  // denominator
      } else {
        ++tally[CountKind::kMultiply];  // keys times A_max
        for (std::int64_t n = 0; n < l; ++n) {
          if (settings.causal && n > m) continue;
          ++tally[CountKind::kDynamicMac];  // s_m t_n
          ++tally[CountKind::kAddition];    // into the denominator
          if (settings.mode == DamfMode::kShift) {
            ++tally[CountKind::kLeadingOne];
            tally[CountKind::kShiftAdd] += 2 * h;
            if (settings.shift_order == DamfShiftOrder::kEach) tally[CountKind::kShift] += h;
          } else {
            ++tally[CountKind::kAddition];
            tally[CountKind::kDynamicMac] += h;
          }
        }
      }
      if (settings.mode == DamfMode::kShift) {
        tally[CountKind::kLeadingOne] += 2;
        if (settings.shift_order == DamfShiftOrder::kLast) tally[CountKind::kShift] += h;
      } else {
        ++tally[CountKind::kReciprocal];
        tally[CountKind::kMultiply] += h;
      }
    }
  }
  return tally;
}

TEST(AttentionCounts, EqualLoopsThatOnlyCount) {
  for (const LayerDimensions& shape :
       std::vector<LayerDimensions>{{1, 1, 1}, {1, 8, 2}, {5, 6, 3}, {16, 32, 4}, {13, 20, 1}}) {
    for (const bool causal : {false, true}) {
      EXPECT_EQ(totals(softmax_counts(shape, causal)), softmax_by_loops(shape, causal));
    }
    for (const DamfSettings& settings : all_settings()) {
      EXPECT_EQ(totals(damf_counts(shape, settings)), damf_by_loops(shape, settings))
          << "mode " << static_cast<int>(settings.mode) << ", maximum "
          << static_cast<int>(settings.maximum) << ", causal " << settings.causal;
    }
  }
}

TEST(AttentionCounts, OfBertBase) {
  const AttentionCounts softmax = softmax_counts(kBase, false);
  EXPECT_EQ(softmax.macs_static(), 301'989'888);
  EXPECT_EQ(softmax.macs_dynamic(), 25'165'824);
  EXPECT_EQ(softmax.total(CountKind::kShiftAdd), 0);
  EXPECT_EQ(softmax_counts(kBase, true).macs_dynamic(), 2 * 768 * 8256);
  DamfSettings shift;
  shift.mode = DamfMode::kShift;
  EXPECT_EQ(damf_counts(kBase, shift).macs_dynamic(), 12 * 128 * 128);
  EXPECT_EQ(damf_counts(kBase, shift).total(CountKind::kShiftAdd), 2 * 128 * 128 * 768);
  EXPECT_EQ(damf_counts(kBase, shift).total(CountKind::kReciprocal), 0);
  DamfSettings collapsed;
  collapsed.mode = DamfMode::kCollapsed;
  EXPECT_EQ(damf_counts(kBase, collapsed).macs_dynamic(), 3 * 128 * 768);
}

TEST(AttentionCounts, CollapsedGrowsWithLengthOnly) {
  DamfSettings settings;
  settings.mode = DamfMode::kCollapsed;
  for (const bool causal : {false, true}) {
    settings.causal = causal;
    const std::int64_t once = damf_counts({1024, 768, 12}, settings).macs();
    EXPECT_EQ(damf_counts({2048, 768, 12}, settings).macs(), 2 * once);
  }
}

TEST(AttentionCounts, RefuseImpossibleShapes) {
  for (const LayerDimensions& shape : std::vector<LayerDimensions>{{0, 8, 1},
                                                                   {8, 0, 1},
                                                                   {8, 8, 0},
                                                                   {8, 8, 3},
                                                                   {-1, 8, 1},
                                                                   {(1 << 22) + 1, 8, 1},
                                                                   {8, (1 << 16) + 1, 1}}) {
    EXPECT_THROW(softmax_counts(shape, false), InvariantError);
    EXPECT_THROW(damf_counts(shape, {}), InvariantError);
    EXPECT_THROW(table_count(TableDesign::kDamf, TableReading::kPaper, shape), InvariantError);
    EXPECT_THROW(figure5_words(TableDesign::kDamf, shape), InvariantError);
  }
  EXPECT_GT(damf_counts({1 << 22, 1 << 16, 1}, {}).macs(), 0) << "the largest shape fits";
  EXPECT_GT(damf_counts({1 << 22, 1 << 16, 1 << 16}, {}).macs(), 0);
}

}  // namespace
}  // namespace quadrille::model
