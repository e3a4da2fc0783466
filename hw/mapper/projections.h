// Products with trained matrices: one stream of weight strips for the whole
// program. The next strips are fetched and written while the present one computes,
// across nodes.
#pragma once

#include <cstdint>
#include <vector>

#include "hw/mapper/choices.h"
#include "hw/mapper/workspace.h"

namespace quadrille::hw {

/// The macros that weights (or the operands of an attention) may use.
struct MacroRange {
  int first = 0;
  int count = 0;
};

/// All Linear and DamfProject nodes of a graph. Consecutive ones that read the
/// same tensor are a group: its tokens pass (in one or several parts) by all
/// strips of the group. The caller decides which of the possible steps comes next.
class Projections {
 public:
  Projections(Workspace& workspace, const model::IntegerGraph& graph, const Choices& choices,
              const MacroRange& macros);

  bool done() const { return current_ == tasks_.size(); }
  /// Fetches what there is room for: inputs, and strips ahead of their use.
  void prefetch();
  bool can_write() const;
  std::int64_t write_at() const;
  void write();
  /// The next block of tokens by the current strip.
  bool can_multiply();
  std::int64_t multiply_at();
  void multiply();
  /// What it waits for where nothing can go on.
  const DoesNotFit& blocked() const { return blocked_; }

  /// Macros of the widest matrix's row tiles: one strip of one column tile.
  static int least_macros(const ChipConfig& config, const model::Graph& graph);

 private:
  struct InputBlock {
    Buffer buffer;
    std::int64_t first_row = 0;
    std::int64_t rows = 0;
  };

  /// Columns of a weight matrix that the macros hold at a time. Where Y has heads,
  /// each begins at a multiple that the vector unit can read; what lies between them
  /// is padding.
  struct Strip {
    struct Piece {
      std::int64_t column = 0;  ///< Of W and Y.
      std::int64_t columns = 0;
      std::int64_t offset = 0;  ///< In the strip.
    };
    std::int64_t columns = 0;
    std::int64_t useful_columns = 0;
    std::vector<Piece> pieces;
    /// The core's epilogue makes codes of the sums where they are to lie. Otherwise 32-bit
    /// sums leave it, and the vector unit makes codes of them if they are to be some.
    bool by_epilogue = false;
    std::uint64_t dram_address = 0;
    bool placed = false;
  };

  struct Job {
    int node = 0;
    model::TensorId x = 0, w = 0, y = 0;
    model::Linear settings;
    model::Multiplier out;
    std::int64_t k = 0;         ///< Rows of W, with the padding between X's heads.
    std::int64_t useful_k = 0;  ///< Without.
    std::vector<Strip> strips;
  };

  struct Group {
    model::TensorId x = 0;
    std::vector<int> jobs;
    std::vector<int> scalars;  ///< DamfProject nodes.
    int blocks = 1;
    std::vector<InputBlock> inputs;
    int inputs_loaded = 0, inputs_done = 0;
    bool begun = false;
    std::int64_t block_rows = 0;
    Rotation sums, codes;
    std::vector<Buffer> vectors;  ///< u and v of the DamfProject nodes.
    std::vector<const model::DamfProjectInteger*> forms;
    std::size_t last_task = 0;
  };

  struct Task {
    int group = 0;
    int block = 0;  ///< Part of the tokens.
    int job = -1;   ///< -1: the group's scalars.
    int strip = 0;
    int slot = 0;
    bool stays = false;  ///< The macros hold it from an earlier part of the tokens.
    Buffer staging;
    std::int64_t ready = 0;  ///< Cycle in which the strip has been written.
  };

  void collect(const model::IntegerGraph& graph);
  std::int64_t strip_stride(const Job& job) const;
  bool may_use_epilogue(const Job& job) const;
  std::int64_t strip_columns(const Job& job, std::int64_t total) const;
  void make_strips(Job& job) const;
  void make_tasks(Group& group, int index);
  void assign_slots();
  bool load_input();
  bool load_strip();
  bool begin_group(Group& group);
  bool open_outputs(const Task& task, std::int64_t first_row, std::int64_t rows);
  std::int64_t next_rows() const;
  bool open_panels(const Job& job, const Strip& strip, std::int64_t first_row);
  View landing(const Job& job, const Strip& strip, Group& group, std::int64_t first_row);
  View input_rows(model::TensorId x, const InputBlock& input, std::int64_t row);
  void multiply_block(const Task& task, std::int64_t first_row, std::int64_t rows);
  void project_scalars(const Group& group, const InputBlock& input);
  void finish_block(const Task& task);
  bool fits(std::int64_t bytes, int node, const char* what);

  Workspace& workspace_;
  Choices choices_;
  MacroRange macros_;
  int slots_ = 1;
  int slot_macros_ = 1;
  std::vector<Job> jobs_;
  std::vector<Group> groups_;
  std::vector<Task> tasks_;
  std::size_t loaded_ = 0, written_ = 0, current_ = 0;
  std::int64_t next_row_ = 0;  ///< Rows of the current task's input block that are multiplied.
  DoesNotFit blocked_;
};

}  // namespace quadrille::hw
