// What a planner may decide about a program, and what each node of it is granted.
#pragma once

#include <tuple>

namespace quadrille::hw {

/// One point of the planner's search. Every number is a wish that the chip's
/// capacity cuts down; the same choices on a larger chip give the same program.
struct Choices {
  // Projections.
  int strip_tiles = 4;      ///< Column tiles of a weight strip.
  int token_blocks = 1;     ///< Blocks of tokens a strip is multiplied with.
  int input_blocks = 1;     ///< Parts of the tokens for each of which all strips pass; 1: X stays.
  int strips_ahead = 2;     ///< Strips in the scratchpad before they are written.
  bool heads_first = true;  ///< Strips of K, Q, V by heads, attention between them.
  int sums_blocks = 2;      ///< Buffers of 32-bit sums used in turn.
  // Attention.
  int query_blocks = 4;    ///< Blocks of a head's queries.
  int key_groups = 1;      ///< Causal: parts of the keys, those behind the mask left out.
  int copies = 2;          ///< Of K and V in the macros; 0: strips of them, rewritten by block.
  int scratch_blocks = 2;  ///< Blocks of scores in the scratchpad at a time.
  bool hold_heads = true;  ///< K and V of a head come from the DRAM once.
  // Residency of values.
  bool keep_heads = true;      ///< Q, K and V, until their head is done.
  bool keep_attention = true;  ///< The heads' outputs.

  auto fields() const {
    return std::tie(strip_tiles, token_blocks, input_blocks, strips_ahead, heads_first, sums_blocks,
                    query_blocks, key_groups, copies, scratch_blocks, hold_heads, keep_heads,
                    keep_attention);
  }
  bool operator==(const Choices& other) const { return fields() == other.fields(); }
};

}  // namespace quadrille::hw
