// The pieces of Sinkhorn mappings: scores by the CIM bank, the unit's commands,
// the heads of a layer. Internal to the mapper.
#pragma once

#include <functional>
#include <vector>

#include "hw/mapper/lowering.h"

namespace quadrille::hw {

/// Throws InputError when the unit has no room for the scalings of so many rows or
/// columns.
void check_sinkhorn_lines(const ChipConfig& config, int lines);

/// The unit's commands for a problem, without their addresses.
SinkhornScale sinkhorn_scale_command(const SinkhornProblem& problem);
SinkhornApply sinkhorn_apply_command(const SinkhornProblem& problem);

/// Q K^T of whole heads as 32-bit scores in the scratchpad: K is written into the
/// macros in strips of keys, as many at a time as a slot holds.
class ScoreProducts {
 public:
  struct Limits {
    int first_macro = 0;
    int macros = 0;
    model::SinkhornShape shape;
    int width = 0;  ///< d
  };
  /// Macros that the keys of one head want, double-buffered.
  static int wanted_macros(const CimConfig& config, int keys, int width);

  /// Throws InputError when not even one column tile of keys finds macros.
  ScoreProducts(Workbench& bench, const Limits& limits);
  void emit(int head, const View& q, const View& k, const Buffer& scores);

 private:
  void emit_strip(int head, const View& q, const View& k, const Buffer& scores, const Strip& strip);

  Workbench& bench_;
  Limits limits_;
  std::vector<Strip> strips_;
  Rotation<MacroSlot> slots_{{}};
};

/// Sinkhorn attention heads of a layer, on 8-bit Q, K and V: scores, scalings,
/// application. The scores of the next head are computed while the unit works.
class SinkhornHeads {
 public:
  /// Receives a head's 32-bit results [tokens, head_width].
  using Consumer = std::function<void(int head, const Buffer& sums)>;

  SinkhornHeads(Workbench& bench, const ScoreProducts::Limits& limits,
                const model::SinkhornInteger& integer);
  void add(int head, const View& q, const View& k, const View& v) {
    heads_.push_back({head, q, k, v, {}});
  }
  void run(const Consumer& consumer);

 private:
  struct Scratch {
    Buffer scores, rows, columns, counts, sums;
  };
  struct Head {
    int index;
    View q, k, v;
    Scratch scratch;
  };
  void scores(Head& head);
  void finish(Head& head, const Consumer& consumer);

  Workbench& bench_;
  SinkhornProblem problem_;
  ScoreProducts products_;
  std::vector<Head> heads_;
  Rotation<Scratch> scratch_{{}};
};

}  // namespace quadrille::hw
