#include "model/analytic/damf_tables.h"

#include <fmt/format.h>

namespace quadrille::model {
namespace {

template <typename Number>
double quotient(Number a, Number b) {
  return static_cast<double>(a) / static_cast<double>(b);
}

}  // namespace

LayerDimensions bert_base_shape() { return {128, 768, 12}; }
LayerDimensions bert_small_shape() { return {128, 512, 8}; }

TableCount table_count(TableDesign design, TableReading reading, const LayerDimensions& shape) {
  check(shape);
  const std::int64_t l = shape.length;
  const std::int64_t d = shape.width;
  const std::int64_t heads = shape.heads;
  const bool complete = reading == TableReading::kComplete;
  if (design == TableDesign::kBaseline) {
    return {4 * d * d, 4 * l * d * d, complete ? 2 * l * l * d : l * l * d + l * l * heads};
  }
  const std::int64_t counted_heads = complete ? heads : 1;
  return {2 * d * d + 2 * d * counted_heads, 2 * l * d * d + 2 * l * d * heads,
          2 * l * l * counted_heads};
}

std::vector<DifferenceRow> complete_minus_paper(TableDesign design, const LayerDimensions& shape) {
  check(shape);
  const std::int64_t pairs = shape.length * shape.length;
  if (design == TableDesign::kBaseline) {
    return {{"A' V, left out by the paper", pairs * shape.width},
            {"one multiply per score: the scale is part of the requantisation, not a MAC",
             -pairs * shape.heads}};
  }
  return {{"two scalar products per score of the other heads, the paper counts one head",
           2 * pairs * (shape.heads - 1)}};
}

std::vector<DifferenceRow> executed_minus_complete(const LayerDimensions& shape,
                                                   const DamfSettings& settings) {
  const AttentionCounts executed = damf_counts(shape, settings);
  const std::int64_t pairs = shape.heads * shape.length * shape.length;
  const std::int64_t seen = shape.heads * visible_pairs(shape.length, settings.causal);
  std::vector<DifferenceRow> rows{
      {"second scalar product per score: formula (13) needs no division by A_max", -pairs}};
  if (settings.mode == DamfMode::kCollapsed) {
    rows.push_back({"first scalar product per score: collapsed into sums", -pairs});
  } else if (settings.causal) {
    rows.push_back({"scores behind the causal mask", seen - pairs});
  }
  for (const CountRow& row : executed.rows) {
    if (row.kind == CountKind::kDynamicMac && row.name != "scores s t") {
      rows.push_back({row.name, row.count});
    }
  }
  return rows;
}

std::int64_t sum(const std::vector<DifferenceRow>& rows) {
  std::int64_t total = 0;
  for (const DifferenceRow& row : rows) total += row.macs;
  return total;
}

std::vector<PrintedRatio> printed_ratios() {
  const auto count = [](TableDesign design, TableReading reading, const LayerDimensions& shape) {
    return table_count(design, reading, shape);
  };
  const LayerDimensions base = bert_base_shape();
  const auto paper_base = count(TableDesign::kBaseline, TableReading::kPaper, base);
  const auto paper_small = count(TableDesign::kBaseline, TableReading::kPaper, bert_small_shape());
  const auto paper_damf = count(TableDesign::kDamf, TableReading::kPaper, base);
  const auto full_base = count(TableDesign::kBaseline, TableReading::kComplete, base);
  const auto full_damf = count(TableDesign::kDamf, TableReading::kComplete, base);
  const double full_dynamic = quotient(full_base.macs_dynamic, full_damf.macs_dynamic);
  const double full_total = quotient(full_base.macs_total(), full_damf.macs_total());
  const double words = quotient(sum(figure5_words(TableDesign::kBaseline, base)),
                                sum(figure5_words(TableDesign::kDamf, base)));
  return {
      {"parameters", "1.99", 9.00 / 4.51, quotient(paper_base.parameters, paper_damf.parameters),
       quotient(full_base.parameters, full_damf.parameters),
       "cut after two digits, not rounded; DAMF's vectors are those of one head"},
      {"dynamic MACs", "284", 8.52 / 0.03,
       quotient(paper_small.macs_dynamic, paper_damf.macs_dynamic), full_dynamic,
       "BERTsmall over DAMF on BERT-base, from 0.03 M rounded"},
      {"dynamic MACs", "426", 12.78 / 0.03,
       quotient(paper_base.macs_dynamic, paper_damf.macs_dynamic), full_dynamic,
       "same shape, from 0.03 M rounded; DAMF's scalar products are those of one head"},
      {"total MACs", "2.21", 314.77 / 142.74,
       quotient(paper_base.macs_total(), paper_small.macs_total()), full_total,
       "BERT-base over BERTsmall: DAMF is not in it"},
      {"total MACs", "", 314.77 / 153.39,
       quotient(paper_base.macs_total(), paper_damf.macs_total()), full_total,
       "same shape, from the document's own columns"},
      {"memory access", "2.71", 2.71, words, words, "one head, reconstructed"},
  };
}

std::vector<AccessRow> figure5_words(TableDesign design, const LayerDimensions& shape) {
  check(shape);
  const std::int64_t l = shape.length;
  const std::int64_t d = shape.width;
  const std::int64_t h = shape.head_width();
  if (design == TableDesign::kBaseline) {
    return {{"read X, once per projection", 3 * l * d},
            {"read W_Q, W_K, W_V", 3 * d * h},
            {"write Q, K, V", 3 * l * h},
            {"read Q, K", 2 * l * h},
            {"read attention weights", l * l},
            {"read V", l * h},
            {"write output", l * h}};
  }
  return {{"read X, once", l * d},          {"read W_V, u, v", d * h + 2 * d},
          {"write V, s, t", l * h + 2 * l}, {"read s, t", 2 * l},
          {"read shift factors", l * l},    {"read V", l * h},
          {"write output", l * h}};
}

std::int64_t sum(const std::vector<AccessRow>& rows) {
  std::int64_t total = 0;
  for (const AccessRow& row : rows) total += row.words;
  return total;
}

std::string in_millions(std::int64_t count) {
  return fmt::format("{:.2f}", static_cast<double>(count) / 1e6);
}

std::string in_percent(double ratio) { return fmt::format("{:.2f}%", 100.0 * ratio); }

}  // namespace quadrille::model
