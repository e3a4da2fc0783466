// The operator LinearAttention.
#include <algorithm>
#include <cmath>
#include <limits>

#include "model/analytic/linear_counts.h"
#include "model/graph/heads.h"
#include "model/graph/node.h"

namespace quadrille::model {
namespace {

enum Slot : std::size_t { kQ, kK, kV, kPositions, kTables };
enum Out : std::size_t { kOut, kNumerator, kDenominator };

LinearShape shape_of(const LinearAttention& op, const NodeView& at) {
  const AttentionTensors tensors(op.heads, at);
  LinearShape shape{tensors.queries, tensors.keys, tensors.width, tensors.value_width, op.causal};
  shape.offset = tensors.offset(op.causal, op.align);
  if (at.has_input(kPositions)) shape.horizon = op.horizon(at.input(kPositions).rows);
  return shape;
}

/// One head's table of relative positions; empty where there is none.
template <typename Node>
auto positions_of(const LinearAttention& op, const Node& at, int instance) {
  std::decay_t<decltype(at.in(kPositions))> table;
  if (!at.has_input(kPositions)) return table;
  const auto& all = at.in(kPositions);
  const std::int64_t elements = at.input(kPositions).elements() / op.tables();
  const std::int64_t first = op.positions_per_head ? instance % op.heads.heads * elements : 0;
  table.assign(all.begin() + first, all.begin() + first + elements);
  return table;
}

template <typename Number>
struct Sums {
  std::vector<Number> out, numerator, denominator;
};

// At both levels: `attend` makes one head's Sums.
template <typename Number, typename Node, typename Attend>
Sums<Number> by_head(const LinearAttention& op, const Node& at, const Attend& attend) {
  const AttentionTensors tensors(op.heads, at);
  const auto &q = at.in(kQ), &k = at.in(kK), &v = at.in(kV);
  Sums<Number> all{tensors.empty_out<Number>(op.heads), {}, {}};
  if (at.has_output(kNumerator)) all.numerator.resize(all.out.size());
  for (int i = 0; i < op.heads.instances(); ++i) {
    const int key = op.heads.key_instance(i);
    Sums<Number> head = attend(tensors.q.take(q, i), tensors.k.take(k, key), tensors.v.take(v, key),
                               positions_of(op, at, i), i);
    tensors.out.put(all.out, i, std::move(head.out));
    if (at.has_output(kNumerator)) tensors.out.put(all.numerator, i, std::move(head.numerator));
    if (at.has_output(kDenominator))
      all.denominator.insert(all.denominator.end(), head.denominator.begin(),
                             head.denominator.end());
  }
  return all;
}

}  // namespace

void check(const LinearAttention& op, const NodeView& at) {
  check_attention(op.heads, op.causal, op.align, at);
  const AttentionTensors tensors(op.heads, at);
  if (!at.has_input(kV)) at.refuse("expected values");
  if (at.has_input(kPositions)) {
    at.require_input(kPositions, -1, tensors.width);
    const std::int64_t rows = at.input(kPositions).rows;
    if (rows % op.tables() != 0 || rows / op.tables() % 2 == 0)
      at.refuse("expected 2k + 1 relative positions in each of " + std::to_string(op.tables()) +
                " tables");
    if (tensors.offset(op.causal, op.align) > 0)
      at.refuse(
          "causal_align end with relative positions and keys before the first query, "
          "expected start: the engine's offsets count from the first key");
  }
  at.require_input(kTables, 3, 256);
  at.require_output(kNumerator, at.input(kQ).rows,
                    tensors.value_width * (op.heads.in_columns ? op.heads.heads : 1));
  at.require_output(kDenominator, op.heads.instances(), tensors.queries);
}

void evaluate(const LinearAttention& op, const FloatNode& at) {
  const LinearShape shape = shape_of(op, at);
  Sums<double> sums = by_head<double>(
      op, at, [&](const auto& q, const auto& k, const auto& v, const auto& rp, int instance) {
        LinearResult head = linear_float(q, k, v, rp, shape);
        for (std::size_t i = 0; i < head.denominator.size(); ++i) {
          if (head.denominator[i] > 0.0) continue;
          at.refuse_values(at.values, "the weights of query " + std::to_string(i) + " in head " +
                                          std::to_string(instance) +
                                          " are all zero in double precision, expected entries of "
                                          "Q and K above -300");
        }
        return Sums<double>{std::move(head.out), std::move(head.numerator),
                            std::move(head.denominator)};
      });
  at.put(kOut, std::move(sums.out));
  at.put(kNumerator, std::move(sums.numerator));
  at.put(kDenominator, std::move(sums.denominator));
}

std::vector<double> largest_features(const LinearAttention&, const FloatNode& at) {
  constexpr double kLeast = -std::numeric_limits<double>::infinity();
  std::vector<double> largest(3, kLeast);
  const std::size_t slots[] = {kQ, kK, kPositions};
  for (std::size_t i = 0; i < 3; ++i) {
    if (!at.has_input(slots[i])) continue;
    const std::vector<double>& values =
        at.values[static_cast<std::size_t>(at.node.input(slots[i]))];
    if (values.empty()) return {};
    largest[i] = *std::max_element(values.begin(), values.end());
  }
  return largest;
}

namespace {

/// The real number of the largest code of an input. What another node makes of codes
/// may come out a little above the level `float`: a few codes are left for it.
double largest_feature(std::size_t slot, std::size_t feature, const QuantiseNode& at) {
  constexpr double kLargestCode = 127.0, kSpareCodes = 4.0;
  const double scale = at.in_scale(slot);
  if (at.largest_features.empty()) return kLargestCode * scale;
  const Role role = at.input(slot).role;
  const bool made = role != Role::kInput && role != Role::kWeight;
  const double code = std::nearbyint(at.largest_features[feature] / scale);
  return std::clamp(code + (made ? kSpareCodes : 0.0), -128.0, kLargestCode) * scale;
}

/// The output scale that maps phi of an input's largest code to 255. Half the range of a
/// signed format is negative, where phi falls exponentially: measured by the largest
/// code that the format has, keys that are all negative would all be 1.
double feature_scale(std::size_t slot, std::size_t feature, const QuantiseNode& at) {
  return phi_elu1(largest_feature(slot, feature, at)) / 255.0;
}

}  // namespace

IntegerForm quantise(const LinearAttention&, QuantiseNode& at) {
  LinearAttentionInteger form;
  const double q = at.in_scale(kQ), k = at.in_scale(kK);
  const bool positions = at.has_input(kPositions);
  const double rp = positions ? at.in_scale(kPositions) : k;
  // K and RP share phi's output scale, so that both terms add as integers.
  const double phi_q = feature_scale(kQ, 0, at);
  const double phi_k =
      std::max(feature_scale(kK, 1, at), positions ? feature_scale(kPositions, 2, at) : 0.0);
  form.phi_q = make_phi_table(q, phi_q);
  form.phi_k = make_phi_table(k, phi_k);
  form.phi_rp = make_phi_table(rp, phi_k);
  TensorBytes tables;
  for (const PhiTable* table : {&form.phi_q, &form.phi_k, &form.phi_rp})
    tables.insert(tables.end(), table->begin(), table->end());
  at.store(kTables, std::move(tables));
  at.made.scales[static_cast<std::size_t>(at.node.input(kTables))] = {phi_q, phi_k};
  at.out(kNumerator, phi_q * phi_k * at.in_scale(kV));
  at.out(kDenominator, phi_q * phi_k);
  form.out = at.out(kOut, std::ldexp(at.in_scale(kV), -kLinearOutputFractionBits));
  return form;
}

void evaluate(const LinearAttention& op, const IntegerNode& at) {
  const auto& form = std::get<LinearAttentionInteger>(at.form);
  const LinearShape shape = shape_of(op, at);
  const auto sums = by_head<std::int64_t>(
      op, at, [&](const auto& q, const auto& k, const auto& v, const auto& rp, int) {
        LinearFixedResult head =
            linear_fixed(q, k, v, rp, shape, form.phi_q, form.phi_k, form.phi_rp);
        at.run.saturated += head.saturated;
        return Sums<std::int64_t>{std::move(head.out_q), std::move(head.numerator_q),
                                  std::move(head.denominator_q)};
      });
  at.put(kOut, sums.out, form.out);
  at.put(kNumerator, sums.numerator);
  at.put(kDenominator, sums.denominator);
}

std::optional<Work> count(const LinearAttention& op, const NodeView& at,
                          const LinearTiling& tiling) {
  LinearShape seen = shape_of(op, at);
  // Causal queries never see the keys behind the last of them.
  if (seen.causal) seen.keys = std::min(seen.keys, seen.queries + seen.offset);
  const LinearCounts counts = linear_counts(seen, tiling.chunk_tokens, tiling.group_columns);
  return Work{op.heads.instances() * counts.macs_static,
              op.heads.instances() * counts.macs_dynamic};
}

}  // namespace quadrille::model
