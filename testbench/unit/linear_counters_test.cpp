// Counters of the linear-attention engine by enumeration: a walk over the tokens
// of every command that counts one operation, one product and one byte access
// after the other, as the tables of docs/engines/linear.md name them. It shares
// no formula with the engine.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <sstream>
#include <vector>

#include "hw/engines/linear/linear_engine.h"
#include "testbench/common/environment.h"
#include "testbench/common/linear_case.h"

namespace quadrille {
namespace {

using namespace hw;

/// Bytes of the registers, from the documentation: 36 and 28 bits.
constexpr int kStateBytes = 5;
constexpr int kSumBytes = 4;

class Walk {
 public:
  explicit Walk(const LinearConfig& config) : config_(config) {}

  /// Commands must come in the order of their sequence.
  Activity command(const LinearAttend& op) {
    op_ = op;
    seen_ = {};
    if (op.reset) reset();
    const int tokens = std::max(op.key_tokens, op.query_tokens);
    for (int first = 0; first < tokens; first += config_.chunk_tokens) {
      const int end = std::min(first + config_.chunk_tokens, tokens);
      const int keys = std::max(std::min(op.key_tokens, end) - first, 0);
      for (int token = first; token < first + keys; ++token) key();
      for (int token = first; token < std::min(op.query_tokens, end); ++token)
        query(token - first, keys, op.first_position + token);
      if (keys > 0) merge();
    }
    return seen_;
  }

 private:
  enum class Product { kStatic, kNarrow, kWide };

  bool damf() const { return op_.kind == LinearKind::kDamf; }
  bool relative() const { return op_.horizon >= 0; }
  bool one_sum() const { return op_.horizon == 0 && !op_.causal; }
  /// Places that a row of K, Q or RP takes in an array: whole beats.
  int places() const {
    int all = 0;
    while (all < op_.width) all += config_.lanes;
    return damf() ? 2 : all;
  }

  void product(bool useful, Product kind) {
    if (!useful) {
      ++seen_.macs_wasted;
    } else if (kind == Product::kStatic) {
      ++seen_.macs_static;
    } else {
      ++seen_.macs_dynamic;
    }
    if (useful && kind == Product::kWide) ++seen_.macs_wide;
  }
  /// A vector of `useful` elements in an array of `executed` places.
  void products(int useful, int executed, Product kind) {
    for (int i = 0; i < executed; ++i) product(i < useful, kind);
  }
  void read(int elements, int bytes = 1) {
    for (int i = 0; i < elements; ++i) seen_.local_read_bytes += bytes;
  }
  void write(int elements, int bytes = 1) {
    for (int i = 0; i < elements; ++i) seen_.local_write_bytes += bytes;
  }
  void add(int count) {
    for (int i = 0; i < count; ++i) ++seen_.additions;
  }
  void look_up_row() {
    for (int l = 0; l < op_.width && !damf(); ++l) ++seen_.exponentials;
  }
  /// Key times query, or times a row of RP. DAMF's keys are (1, t): one product.
  void inner_product(bool useful, Product kind) {
    const int rows = damf() ? 1 : op_.width;
    products(useful ? rows : 0, damf() ? 1 : places(), kind);
  }
  void row_of_values(bool useful) {
    products(useful ? op_.value_width : 0, config_.lanes, Product::kWide);
  }

  void reset() {
    window_.clear();
    for (int row = -op_.horizon; relative() && row <= op_.horizon; ++row) {
      look_up_row();
      write(op_.width);
    }
  }

  void key() {
    look_up_row();
    write(op_.width + op_.value_width);
    read(op_.width + op_.value_width);
    for (int l = damf() ? 1 : 0; l < places(); ++l)
      products(l < op_.width ? op_.value_width : 0, config_.lanes, Product::kNarrow);
    if (damf()) {
      add(1);                // The sum of t.
      add(op_.value_width);  // S for the key's 1.
      if (!op_.causal) {
        ++seen_.compares;  // The largest and the smallest s and t.
        ++seen_.compares;
        ++seen_.compares;
        ++seen_.compares;
      }
    } else {
      add(op_.width);  // z
    }
    if (relative() && !op_.causal) add(op_.value_width);  // The sum of all of V.
  }

  void merge() {
    for (int l = 0; l < op_.width; ++l) {
      add(op_.value_width);
      if (!damf()) add(1);  // DAMF's row pipeline has its sums at once.
      state_row();
      write(op_.value_width, kStateBytes);
      write(1, kSumBytes);
    }
  }
  void state_row() {
    read(op_.value_width, kStateBytes);
    read(1, kSumBytes);
  }

  void query(int place, int chunk_keys, int position) {
    look_up_row();
    for (int l = 0; l < places(); ++l) {
      row_of_values(l < op_.width);
      if (!damf()) product(l < op_.width, Product::kWide);  // z
      if (l < op_.width) state_row();
    }
    if (damf()) {
      add(1);                                          // A_max keys + s sum of t.
      for (int i = 0; i < 4; ++i) ++seen_.multiplies;  // Those two, and s by both extremes of t.
      ++seen_.compares;                                // The larger one.
      // Two extremes of t, and the maximum over the rows so far.
      for (int i = 0; i < 3 && op_.causal; ++i) ++seen_.compares;
    }
    if (op_.causal && chunk_keys > 0) meet_chunk(place, chunk_keys);
    if (relative()) meet_positions(position);
    ++seen_.reciprocals;
    for (int c = 0; c < op_.value_width; ++c) ++seen_.multiplies;
  }

  void meet_chunk(int place, int chunk_keys) {
    for (int j = 0; j < config_.chunk_tokens; ++j) {
      const bool visible = j < chunk_keys && j <= place;
      inner_product(visible, Product::kNarrow);
      row_of_values(visible);
      if (!visible) continue;
      read(op_.width + op_.value_width);
      add(1);
    }
    add(op_.value_width);
    if (!damf()) add(1);  // The denominator; DAMF's is ready.
  }

  void meet_positions(int position) {
    const int k = op_.horizon;
    std::set<int> offsets;  // The visible keys have these.
    for (int key = 0; key < op_.total_keys; ++key) {
      if (!op_.causal || key <= position) offsets.insert(std::clamp(key - position, -k, k));
    }
    for (int offset = -k; offset <= (op_.causal ? 0 : k); ++offset) {
      const bool used = offsets.count(offset) == 1;
      inner_product(true, Product::kStatic);
      read(op_.width);  // phi(RP)
      row_of_values(used);
      if (!used) continue;
      add(1);
      if (!one_sum()) read(op_.value_width);
    }
    add(op_.value_width + 1);
    // Sums of V: of all; before the window; before and behind it.
    const int sums = one_sum() || op_.causal ? 1 : 2;
    for (int sum = 0; sum < sums; ++sum) {
      ++seen_.multiplies;  // Its weight times its keys.
      read(op_.value_width, kSumBytes);
      if (one_sum()) continue;
      add(op_.value_width);
      write(op_.value_width, kSumBytes);
    }
    if (op_.causal) return;
    for (int row = 0; row < std::min(position + k, op_.total_keys); ++row) {
      if (k > 0 && window_.insert(row).second) write(op_.value_width);
    }
  }

  LinearConfig config_;
  LinearAttend op_;
  Activity seen_;
  std::set<int> window_;  ///< Rows of V that have come into it, not causal.
};

void expect_same(const Activity& found, const Activity& expected) {
  EXPECT_EQ(found.macs_static, expected.macs_static);
  EXPECT_EQ(found.macs_dynamic, expected.macs_dynamic);
  EXPECT_EQ(found.macs_wide, expected.macs_wide);
  EXPECT_EQ(found.macs_wasted, expected.macs_wasted);
  EXPECT_EQ(found.exponentials, expected.exponentials);
  EXPECT_EQ(found.compares, expected.compares);
  EXPECT_EQ(found.additions, expected.additions);
  EXPECT_EQ(found.reciprocals, expected.reciprocals);
  EXPECT_EQ(found.multiplies, expected.multiplies);
  EXPECT_EQ(found.local_read_bytes, expected.local_read_bytes);
  EXPECT_EQ(found.local_write_bytes, expected.local_write_bytes);
  EXPECT_EQ(found.shift_adds, 0);
  EXPECT_EQ(found.leading_ones, 0);
  EXPECT_EQ(found.requantises, 0);
  EXPECT_EQ(found.local_conflict_cycles, 0);
}

/// Cuts the sequence and compares every command.
void expect_enumeration(const LinearConfig& config, const LinearAttend& whole, int queries,
                        int most, std::mt19937_64* random) {
  const LinearEngine engine(config);
  Walk walk(config);
  for (const LinearAttend& op : testbench::cut_linear(whole, queries, most, random)) {
    std::ostringstream what;
    what << "lanes " << config.lanes << " chunk " << config.chunk_tokens << " d " << op.width
         << " dv " << op.value_width << " causal " << op.causal << " k " << op.horizon
         << " maximum " << static_cast<int>(op.maximum) << ": " << op.key_tokens << " keys, "
         << op.query_tokens << " queries from " << op.first_position << " of " << op.total_keys;
    SCOPED_TRACE(what.str());
    expect_same(engine.activity(op), walk.command(op));
    if (testing::Test::HasFailure()) return;
  }
}

TEST(LinearCounters, KernelEqualsEnumeration) {
  std::mt19937_64 random(testbench::test_seed(20240801));
  LinearConfig config;
  config.lanes = 4;
  config.max_width = 12;
  int compared = 0;
  for (const int chunk : {1, 3, 8}) {
    for (const int width : {3, 4, 11}) {  // Rows have up to three beats.
      for (const auto& [queries, keys] : {std::pair{1, 1}, {13, 13}, {20, 9}, {6, 21}}) {
        for (const bool causal : {false, true}) {
          for (const int horizon : {-1, 0, 1, 4, 16}) {
            config.chunk_tokens = chunk;
            LinearAttend whole;
            whole.causal = causal;
            whole.width = width;
            whole.value_width = 1 + compared % config.lanes;
            whole.horizon = horizon;
            whole.total_keys = keys;
            // One command, pieces of whole chunks, pieces that cut chunks.
            expect_enumeration(config, whole, queries, 100, nullptr);
            expect_enumeration(config, whole, queries, 2 * chunk, nullptr);
            expect_enumeration(config, whole, queries, 7, &random);
            if (HasFailure()) return;
            ++compared;
          }
        }
      }
    }
  }
  EXPECT_EQ(compared, 3 * 3 * 4 * 2 * 5);
}

TEST(LinearCounters, DamfEqualsEnumeration) {
  std::mt19937_64 random(testbench::test_seed(20240802));
  LinearConfig config;
  config.lanes = 4;
  for (const int chunk : {1, 3, 8}) {
    for (const int tokens : {1, 8, 19}) {
      for (const int columns : {1, 3, 4}) {
        for (const bool causal : {false, true}) {
          for (const auto maximum :
               {model::DamfMaximum::kGlobal, model::DamfMaximum::kRow, model::DamfMaximum::kAbs}) {
            config.chunk_tokens = chunk;
            LinearAttend whole;
            whole.kind = LinearKind::kDamf;
            whole.causal = causal;
            whole.width = 2;
            whole.value_width = columns;
            whole.total_keys = tokens;
            whole.maximum = maximum;
            expect_enumeration(config, whole, tokens, 100, nullptr);
            expect_enumeration(config, whole, tokens, 2 * chunk, nullptr);
            expect_enumeration(config, whole, tokens, 5, &random);
            if (HasFailure()) return;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace quadrille
