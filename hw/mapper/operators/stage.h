// One node's commands, a step at a time: the planner emits steps of several nodes
// in the order in which they could start.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "hw/mapper/choices.h"
#include "hw/mapper/projections.h"
#include "hw/mapper/workspace.h"

namespace quadrille::hw {

/// A stage's working memory: one piece of the scratchpad, cut into buffers.
class Arena {
 public:
  /// Without memory it only counts.
  explicit Arena(const ScratchpadAllocator& memory, std::uint64_t address = 0)
      : memory_(memory), address_(address) {}
  Buffer take(std::int64_t rows, std::int64_t row_bytes) {
    const Buffer buffer{address_ + static_cast<std::uint64_t>(used_), memory_.pitch(row_bytes),
                        memory_.bytes(rows, row_bytes)};
    used_ += buffer.bytes;
    return buffer;
  }
  std::vector<Buffer> take(int count, std::int64_t rows, std::int64_t row_bytes) {
    std::vector<Buffer> buffers;
    for (int i = 0; i < count; ++i) buffers.push_back(take(rows, row_bytes));
    return buffers;
  }
  std::int64_t used() const { return used_; }

 private:
  const ScratchpadAllocator& memory_;
  std::uint64_t address_;
  std::int64_t used_ = 0;
};

/// Contract: ready() may be asked at any time and changes nothing but what it
/// allocates; step() is only called when ready() has just said so, until done().
class Stage {
 public:
  virtual ~Stage() = default;
  virtual bool done() const = 0;
  /// The inputs of the next step are emitted and its memory is there.
  virtual bool ready() = 0;
  /// The cycle in which its first command could start, by the schedule so far.
  virtual std::int64_t starts_at() = 0;
  virtual void step() = 0;
  const DoesNotFit& blocked() const { return blocked_; }

 protected:
  /// Cuts the stage's memory with carve(arena), once there is room for it.
  template <typename Carve>
  bool begin(Workspace& workspace, int node, const char* what, Carve carve) {
    if (begun_) return true;
    const ScratchpadAllocator& memory = workspace.emit().memory();
    Arena counted(memory);
    carve(counted);
    if (!room(workspace, counted.used(), node, what)) return false;
    workspace.emit().enter(node, "load_input");
    if (counted.used() > 0) scratch_ = workspace.emit().allocate(1, counted.used(), what);
    Arena arena(memory, scratch_.address);
    carve(arena);
    begun_ = true;
    return true;
  }
  void end(Workspace& workspace) { workspace.emit().memory().release(scratch_); }
  /// Remembers what is missing where there is no room for so many bytes.
  bool room(Workspace& workspace, std::int64_t bytes, int node, const char* what) {
    ScratchpadAllocator& memory = workspace.emit().memory();
    if (memory.fits(bytes)) return true;
    blocked_ = {node, what, bytes, memory.largest_free(), DoesNotFit::Resource::kScratchpad};
    return false;
  }
  DoesNotFit blocked_;

 private:
  Buffer scratch_;
  bool begun_ = false;
};

/// What a stage is made from.
struct StageGrant {
  int node = 0;
  MacroRange macros;  ///< For K and V.
  Choices choices;
};

std::unique_ptr<Stage> make_softmax_stage(Workspace& workspace, const model::IntegerGraph& graph,
                                          const StageGrant& grant);
std::unique_ptr<Stage> make_damf_stage(Workspace& workspace, const model::IntegerGraph& graph,
                                       const StageGrant& grant);
/// It lowers Sinkhorn and SinkhornAttention.
std::unique_ptr<Stage> make_sinkhorn_stage(Workspace& workspace, const model::IntegerGraph& graph,
                                           const StageGrant& grant);
/// It lowers LinearAttention, and DamfAttention on that engine.
std::unique_ptr<Stage> make_linear_attention_stage(Workspace& workspace,
                                                   const model::IntegerGraph& graph,
                                                   const StageGrant& grant);

/// Macros that K and V of a node want by these choices; 0: it uses none.
int attention_macros(const ChipConfig& config, const model::Graph& graph, const model::Node& node,
                     const Choices& choices);
/// The fewest that it works with.
int least_attention_macros(const ChipConfig& config, const model::Graph& graph,
                           const model::Node& node);

/// Throws InputError for what no plan can change: lengths, widths and bit counts
/// beyond an engine's own limits.
void check_limits(const ChipConfig& config, const model::Graph& graph, const model::Node& node);

}  // namespace quadrille::hw
