// The pieces that every mapping is made of: loading tensors, static products,
// softmax heads, DAMF heads. Internal to the mapper.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "hw/mapper/resources.h"

namespace quadrille::hw {

/// A view of rows x columns elements in the scratchpad and the storages that
/// hold them.
struct View {
  std::uint64_t address = 0;
  std::int64_t pitch_bytes = 0;
  std::vector<Storage> storages;

  View rows_from(std::int64_t row) const;
};

View view_of(const Buffer& buffer);

/// Throws InputError when the CIM bank holds or takes fewer bits.
void check_cim_bits(const ChipConfig& config, int input_bits, int weight_bits);

/// Throws InputError when a sum of so many products does not fit 32 bits.
void check_sum_terms(const ChipConfig& config, int terms);

/// Throws InputError when the DAMF engine's buffers or its commands are too
/// small for a head.
void check_damf_limits(const ChipConfig& config, int tokens, int model_width, int head_width);

/// State that the pieces share while one mapping is built.
struct Workbench {
  explicit Workbench(const ChipConfig& chip)
      : config(chip), scratchpad(chip, builder), dram(chip) {}
  Workbench(const Workbench&) = delete;
  Workbench& operator=(const Workbench&) = delete;

  /// Copies a whole DRAM tensor into a new buffer.
  Buffer load(const DramTensor& tensor, Phase phase);
  /// Copies a rectangle of the scratchpad into columns of a DRAM tensor.
  void store(const Buffer& from, const DramTensor& to, std::int64_t first_row, std::int64_t rows,
             std::int64_t first_element, std::int64_t elements);
  Mapping finish();

  const ChipConfig& config;
  ProgramBuilder builder;
  ScratchpadPlan scratchpad;
  DramPlan dram;
  std::vector<std::string> choices;
};

/// Receives rows first_row .. of the 32-bit sums of one strip; `sums` holds
/// them from its address on.
using SumsConsumer = std::function<void(const Strip& strip, std::int64_t first_row,
                                        std::int64_t rows, const Buffer& sums)>;

/// X W for matrices that stay in macros while all tokens pass: strips of
/// columns are loaded, written and multiplied in turn, so that the next strip
/// is fetched and written while the present one computes.
class StaticProducts {
 public:
  struct Limits {
    int first_macro = 0;
    int macros = 0;
    int tokens = 0;
    int widest_rows = 0;     ///< Largest k of all jobs.
    int widest_columns = 0;  ///< Largest n of all jobs.
    int column_granule = 1;  ///< Strips are multiples of this (a head's width).
  };
  StaticProducts(Workbench& bench, const Limits& limits);

  /// Queues X[tokens, k] * W[k, n].
  void add(const DramTensor& weights, int k, int n, const View& x, Phase phase,
           SumsConsumer consumer, int weight_bits = 8, int input_bits = 8);
  /// Emits the loads of the first queued strips that find a free staging buffer.
  void prefetch();
  /// Emits everything queued.
  void run();

 private:
  struct Task {
    DramTensor weights;
    int k;
    Strip strip;
    View x;
    Phase phase;
    SumsConsumer consumer;
    int weight_bits;
    int input_bits;
    Buffer staging;
    MacroSlot slot;
  };
  void load(std::size_t index);
  void write(std::size_t index);
  void multiply(const Task& task);

  Workbench& bench_;
  Limits limits_;
  int strip_columns_ = 0;
  std::int64_t block_tokens_ = 0;
  std::vector<Task> tasks_;
  std::size_t loaded_ = 0;
  std::size_t written_ = 0;
  std::size_t computed_ = 0;
  Rotation<Buffer> staging_{{}};
  Rotation<Buffer> sums_{{}};
  Rotation<MacroSlot> slots_{{}};
};

/// Softmax heads: K and V are written into macros, scores, rows, A' V. The
/// scores of the next block are computed while the softmax engine works.
class SoftmaxHeads {
 public:
  struct Limits {
    int first_macro = 0;
    int macros = 0;
    model::SoftmaxShape shape;
  };
  /// What to do with a block of a head's results: `codes` (8-bit) and `sums`
  /// (32-bit) with their rows' reciprocals.
  struct Block {
    int head = 0;
    std::int64_t first_row = 0;
    std::int64_t rows = 0;
    Buffer codes;
    Buffer reciprocals;
    Buffer sums;
  };
  using Consumer = std::function<void(const Block&)>;

  /// Macros that K and V of one head want, double-buffered; 0 is never enough.
  static int wanted_macros(const CimConfig& config, const model::SoftmaxShape& shape);

  SoftmaxHeads(Workbench& bench, const Limits& limits, const model::Multiplier& exponent);

  void add(int head, const View& q, const View& k, const View& v);
  void run(const Consumer& consumer);

 private:
  struct Head {
    int index;
    View q, k, v;
    MacroSlot k_slot, v_slot;
  };
  struct Scratch {
    Buffer scores, codes, reciprocals, sums;
  };
  struct Item {
    std::size_t head;
    std::int64_t first_row;
    std::int64_t rows;
    Scratch scratch;
  };
  void plan_macros(const Limits& limits);
  void plan_scratch();
  void write_keys(Head& head, const Strip& strip, const MacroSlot& slot);
  void write_values(Head& head, const Strip& strip, const MacroSlot& slot);
  void scores(Item& item);
  void finish(Item& item, const Consumer& consumer);

  Workbench& bench_;
  model::SoftmaxShape shape_;
  model::Multiplier exponent_;
  std::int64_t block_rows_ = 0;
  std::vector<Strip> key_strips_;
  std::vector<Strip> value_strips_;
  std::vector<Head> heads_;
  Rotation<MacroSlot> k_slots_{{}};
  Rotation<MacroSlot> v_slots_{{}};
  Rotation<Scratch> scratch_{{}};
};

}  // namespace quadrille::hw
