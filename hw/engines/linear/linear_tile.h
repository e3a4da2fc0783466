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
  void run(const LinearAttend& operation, const Bytes& memory, Activity& values);

 private:
  /// Tokens worked off at once: this timing's own, since every chunking gives the
  /// same bits.
  static constexpr int kBlock = 16;

  void reset(const Bytes& memory);
  void load_tables(const Bytes& memory);
  void load_keys(const Bytes& memory, int first, int count);
  void load_values(const Bytes& memory, int first, int count);
  void load_queries(const Bytes& memory, int first, int count, Activity& values);
  void add_inside_block(int keys, int queries);
  void add_relative(const Bytes& memory, int query, double* sums, double* denominator);
  double* ring_row(int position);
  void hold(int position, const double* row);
  void store(const Bytes& memory, int query, const double* sums, double denominator,
             Activity& values) const;

  LinearConfig config_;
  LinearAttend op_;
  LinearSequence sequence_;

  // The sequence's state.
  std::array<model::PhiTable, 3> tables_{};  ///< Of Q, K and RP.
  std::vector<std::int32_t> positions_;      ///< phi(RP)
  std::vector<double> state_;                ///< S[d, dv]
  std::vector<double> keys_sum_;             ///< z[d]
  std::optional<DamfRows> damf_;
  std::vector<double> ring_;  ///< Rows of V by position.
  std::vector<double> before_;
  std::vector<double> after_;  ///< Not causal: sum of the rows not yet in the window.
  std::vector<double> total_;
  int window_rows_ = 0;  ///< Rows that came into the window, not causal.

  // The block's operands.
  std::vector<std::int32_t> keys_;     ///< [kBlock, d]
  std::vector<std::int32_t> queries_;  ///< [kBlock, d]
  std::vector<std::int32_t> values_;   ///< [kBlock, dv]
  std::vector<double> wide_values_;    ///< The same.
  std::vector<double> sums_;           ///< [kBlock, dv]
  std::vector<double> denominators_;   ///< [kBlock]
};

}  // namespace quadrille::hw
