// The data of the linear-attention engine at timing `tile`: whole blocks of
// tokens at once. Numbers are exact integers held in double where they exceed 32
// bits: every sum stays below 2^53 (model::kLinearLargestReach), so the order of
// additions and fused multiply-adds change no bit.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "hw/engines/activity.h"
#include "hw/engines/linear/linear_piece.h"
#include "hw/engines/linear/linear_rows.h"
#include "hw/memory/bytes.h"

namespace quadrille::hw {

/// The state from one command to the next, and what a command does to it.
class LinearTile {
 public:
  explicit LinearTile(const LinearConfig& config) : config_(config) {}
  /// The operation must fit the engine and continue the sequence.
  void run(const LinearAttend& operation, const Bytes& memory, Activity& values);

 private:
  void reset(const Bytes& memory);
  void load_tables(const Bytes& memory);
  void load_keys(const Bytes& memory, int first, int count);
  void load_values(const Bytes& memory, int first, int count);
  void load_queries(const Bytes& memory, int first, int count, Activity& values);
  void answer(const Bytes& memory, int first, int keys, int queries, Activity& values);
  void add_inside_block(int keys, int queries);
  void load_window(const Bytes& memory, int end);
  void add_relative(int position, int index);
  void store(const Bytes& memory, int query, int index, Activity& values) const;

  double* sums(int index) { return &sums_[cell(index, 0, columns_)]; }
  /// Rows of V from `position` on lie behind each other.
  double* ring_row(int position);
  void hold(int position, const double* row);

  LinearConfig config_;
  LinearAttend op_;
  // Padded with zeros:
  int width_ = 0;         ///< d
  int columns_ = 0;       ///< dv
  int weights_ = 0;       ///< Weights of the relative positions.
  int window_first_ = 0;  ///< Row of V that lies at the command's window address.

  // The sequence's state.
  std::array<model::PhiTable, 3> tables_{};  ///< phi of Q, K and RP.
  std::vector<std::int32_t> positions_;      ///< phi(RP), transposed: [d, weights]
  std::vector<double> state_;                ///< S[d, dv]
  std::vector<double> keys_sum_;             ///< z[d]
  std::optional<DamfRows> damf_;
  std::vector<double> ring_;  ///< Rows of V by position, twice.
  std::vector<double> before_;
  std::vector<double> after_;  ///< Where not causal: sum of the rows not yet in the window.
  std::vector<double> total_;
  int window_rows_ = 0;  ///< Rows that came into the window, not causal.

  // The block's operands and results; rows beyond the block's are of no matter.
  std::vector<std::int32_t> keys_;      ///< Transposed: [d, tokens]
  std::vector<std::int32_t> queries_;   ///< [tokens, d]
  std::vector<std::int32_t> values_;    ///< [tokens, dv]
  std::vector<double> wide_values_;     ///< values_ as doubles.
  std::vector<std::int32_t> scores_;    ///< [tokens, tokens]
  std::vector<std::int32_t> relative_;  ///< [tokens, weights]
  std::vector<double> sums_;            ///< [tokens, dv]
  std::vector<double> denominators_;    ///< [tokens]
};

}  // namespace quadrille::hw
