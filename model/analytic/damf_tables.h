// The DAMF document's Table II and Figure 5, rebuilt, beside a complete count.
//
// Source: "Hardware Friendly Transformer Optimization with Dynamic Attention
// Matrix Fusion", section IV C-E. The document prints no formulas; the ones
// here reproduce every printed digit and are a reconstruction. Units: MACs,
// parameters (fp32 words) and words; L tokens, d wide, n_head heads of width d / n_head.
//
// Two readings stand side by side:
//  - paper: DAMF's parameters and scalar products are those of one head, its
//    inner products those of all; the baseline has Q K^T and one multiply per
//    score, and no A' V;
//  - complete: all heads everywhere, A' V included where it is made of MACs
//    (in DAMF it is shift-adds), two scalar products per score as drawn in the
//    document's Figure 3.
// What a chip executes is a third thing: attention_counts.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/analytic/attention_counts.h"

namespace quadrille::model {

enum class TableDesign { kBaseline, kDamf };
enum class TableReading { kPaper, kComplete };

/// One line of Table II.
struct TableCount {
  std::int64_t parameters = 0;  ///< fp32 words
  std::int64_t macs_static = 0;
  std::int64_t macs_dynamic = 0;

  std::int64_t macs_total() const { return macs_static + macs_dynamic; }
  /// The document's "Param. /M": MiB of fp32.
  double parameters_mib() const { return static_cast<double>(parameters) * 4.0 / (1 << 20); }
  double dynamic_ratio() const {
    return static_cast<double>(macs_dynamic) / static_cast<double>(macs_total());
  }
};

/// One layer of multi-head attention, counted. Without mask, batch 1.
TableCount table_count(TableDesign design, TableReading reading, const LayerDimensions& shape);

/// A named difference between two counts, in MACs; negative: counted less.
struct DifferenceRow {
  std::string name;
  std::int64_t macs = 0;
};

/// Complete minus paper. The rows sum to exactly the difference of the totals.
std::vector<DifferenceRow> complete_minus_paper(TableDesign design, const LayerDimensions& shape);

/// damf_counts(shape, settings) minus complete, in MACs: what the mode and the
/// mask spare or need beside the document's steps. Sums exactly.
std::vector<DifferenceRow> executed_minus_complete(const LayerDimensions& shape,
                                                   const DamfSettings& settings);

std::int64_t sum(const std::vector<DifferenceRow>& rows);

/// A ratio the document prints, and what it is.
struct PrintedRatio {
  std::string name;
  std::string printed;  ///< The document's own characters: "284".
  double from_printed;  ///< Quotient of the printed (rounded) numbers behind it.
  double exact;         ///< That quotient, of the exact counts.
  double complete;      ///< DAMF against the baseline of the same shape, complete reading.
  std::string remark;   ///< Names the columns and the slip.
};

/// The document's five ratios (parameters 1.99, dynamic MACs 284 and 426, total
/// MACs 2.21, memory access 2.71) and the same-shape total 2.05, which it does
/// not print (`printed` is "").
std::vector<PrintedRatio> printed_ratios();

/// The document's shapes: BERT-base (768 wide, 12 heads) and BERTsmall (512,
/// 8), 128 tokens.
LayerDimensions bert_base_shape();
LayerDimensions bert_small_shape();

/// Memory accesses of one head (Figure 5), by cause.
struct AccessRow {
  std::string name;
  std::int64_t words = 0;
};

/// A reconstruction: the document prints only the ratio 2.71, and several
/// counts give it. This is the natural one. All shape arguments as above.
std::vector<AccessRow> figure5_words(TableDesign design, const LayerDimensions& shape);
std::int64_t sum(const std::vector<AccessRow>& rows);

/// "314.77": millions with two digits, as Table II prints them.
std::string in_millions(std::int64_t count);
/// "4.06%".
std::string in_percent(double ratio);

}  // namespace quadrille::model
