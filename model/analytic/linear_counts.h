// Closed forms: the multiply-accumulates of one head of linear attention, for the
// conservation check of what the engine's commands did. Written from the
// definition (model/attention/linear.h), without the engine.
//
// Keys are merged into the state by chunks of `chunk_tokens`, counted from
// the first query's (position 0, or the shape's offset): a query meets the keys of
// its own chunk one by one (a score of d MACs, dv weighted values) and all earlier
// ones in the state. The columns of V
// are worked off in groups of `group_columns`; scores, denominators and weights
// are made again for each group, and counted as often as they are made.
//
//   static   weights of the relative positions, 2k+1 (under the mask k+1) of d
//            MACs per query and group: RP is trained
//   dynamic  state d dv per key; readout d dv, and per group d for the
//            denominator, per query; pairs inside chunks d per group and dv;
//            relative terms dv for every weight that falls on a visible key
#pragma once

#include <cstdint>

#include "model/attention/linear.h"

namespace quadrille::model {

struct LinearCounts {
  std::int64_t macs_static = 0;
  std::int64_t macs_dynamic = 0;
};

LinearCounts linear_counts(const LinearShape& shape, int chunk_tokens, int group_columns);

/// DAMF's collapsed form as linear attention, queries (A_max, s) against keys
/// (1, t): per key dv (t V), per query 2 dv, per pair inside a chunk 1 per group
/// and dv. Its two-term denominators are multiplications of their own kind.
LinearCounts damf_linear_counts(int tokens, int value_width, bool causal, int chunk_tokens,
                                int group_columns);

/// Visible pairs of a query and a key of one chunk under the causal mask.
std::int64_t pairs_inside_chunks(std::int64_t queries, std::int64_t keys,
                                 std::int64_t chunk_tokens);

}  // namespace quadrille::model
