// Where the tensors of a graph lie while its program is emitted, and how they are
// read and written: a lowering never knows which of them are in the scratchpad.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hw/mapper/emitter.h"
#include "hw/mapper/mapping.h"
#include "model/graph/graph.h"

namespace quadrille::hw {

constexpr std::int64_t divide_up(std::int64_t value, std::int64_t divisor) {
  return (value + divisor - 1) / divisor;
}
constexpr std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return divide_up(value, multiple) * multiple;
}
/// The largest of `parts` nearly equal parts of `whole`.
constexpr std::int64_t equal_part(std::int64_t whole, std::int64_t parts) {
  return divide_up(whole, divide_up(whole, divide_up(whole, parts)));
}

/// The instances of an attention in one of its tensors (model::Heads).
struct Grid {
  int instances = 0;
  int per_batch = 1;  ///< Side by side, where they lie in columns.
  bool in_columns = false;
  std::int64_t rows = 0;  ///< Of one instance.
  std::int64_t columns = 0;

  std::int64_t first_row(int instance) const {
    return (in_columns ? instance / per_batch : instance) * rows;
  }
  std::int64_t first_column(int instance) const {
    return in_columns ? instance % per_batch * columns : 0;
  }
};

enum class Place {
  kDram,    ///< Read and written by the DMA, block by block.
  kRows,    ///< Whole rows in the scratchpad, in one buffer.
  kPanels,  ///< One buffer an instance, from its first write to its last read.
};

/// Panels of several instances in one buffer, side by side: what one product made.
struct SharedPanel {
  Buffer buffer;
  int instances_left = 0;  ///< That somebody has still to read.
};

/// One tensor's place and progress.
struct Home {
  Place place = Place::kDram;
  std::optional<Grid> grid;        ///< Of the attention that makes or reads it.
  std::int64_t column_stride = 0;  ///< kRows of a grid: bytes from instance to instance.
  bool made = false;               ///< By a node of the graph.
  bool flat = false;               ///< Its DRAM rows lie without gaps.
  /// kDram: an instance is fetched whole when it is first read, and kept to its last
  /// read.
  bool held = false;
  std::vector<Buffer> buffers;
  std::vector<SharedPanel> shared;    ///< kPanels.
  std::vector<int> shared_by;         ///< By instance: index in `shared`; empty or -1: its own.
  std::vector<std::int64_t> written;  ///< Elements emitted, by instance (one without a grid).
  std::vector<int> reads_left;        ///< kPanels, held: by instance, until it is freed.
  int dram = -1;                      ///< Index of its DRAM tensor, once there is one.
};

/// A rectangle in the scratchpad.
struct View {
  std::uint64_t address = 0;
  std::int64_t pitch_bytes = 0;

  View from(std::int64_t row, std::int64_t offset_bytes = 0) const {
    return {address + static_cast<std::uint64_t>(row * pitch_bytes + offset_bytes), pitch_bytes};
  }
};
inline View view_of(const Buffer& buffer) { return {buffer.address, buffer.pitch_bytes}; }

/// Rows and columns of a tensor (or, where it says so, of one instance of it).
struct Rectangle {
  std::int64_t row = 0;
  std::int64_t rows = 0;
  std::int64_t column = 0;
  std::int64_t columns = 0;
};

/// Equal buffers used in turn.
class Rotation {
 public:
  Rotation() = default;
  explicit Rotation(std::vector<Buffer> buffers) : buffers_(std::move(buffers)) {}
  Rotation(Emitter& emitter, int count, std::int64_t rows, std::int64_t row_bytes,
           const char* what);
  const Buffer& next() { return buffers_[turn_++ % buffers_.size()]; }
  bool empty() const { return buffers_.empty(); }
  void release(ScratchpadAllocator& memory);

 private:
  std::vector<Buffer> buffers_;
  std::size_t turn_ = 0;
};

/// 32-bit sums as an engine leaves them, and what becomes of them.
struct Sums {
  View view;
  std::optional<std::uint64_t> reciprocals;  ///< One a row: the sums are normalised by them.
  int fraction_bits = 0;                     ///< With reciprocals.
  model::Multiplier out;                     ///< For a tensor of codes.
  bool codes = false;                        ///< With reciprocals: 8-bit codes, not sums.
};

class Workspace {
 public:
  Workspace(const ChipConfig& config, const model::Graph& graph, const CommandCost& cost,
            bool keep);

  const ChipConfig& config() const { return config_; }
  const model::Graph& graph() const { return graph_; }
  const model::Tensor& tensor(model::TensorId id) const { return graph_.tensor(id); }
  Home& home(model::TensorId id) { return homes_[static_cast<std::size_t>(id)]; }
  Emitter& emit() { return emitter_; }

  // --- sources -----------------------------------------------------------------

  /// Every element of the instance (-1: of all) has been emitted by its producer.
  bool complete(model::TensorId id, int instance) const;
  /// The cycle in which it is there by the schedule.
  std::int64_t ready_at(model::TensorId id, int instance);

  /// A rectangle of an instance: in place, or fetched into the next of `staging`.
  View read(model::TensorId id, int instance, const Rectangle& part, Rotation& staging);
  /// True when read() of it will fetch, and into what: rows of this many bytes.
  bool fetched(model::TensorId id) const;
  /// False where an instance is to be held and there is no room for it yet.
  bool can_hold(model::TensorId id, int instance);
  /// One reader of the instance has read it for the last time.
  void done(model::TensorId id, int instance);

  /// Copies a rectangle of the tensor, whole rows of a DRAM tensor or not.
  void fetch(model::TensorId id, const Rectangle& part, const View& to);
  void store(model::TensorId id, const Rectangle& part, const View& from);

  // --- sinks -------------------------------------------------------------------

  /// Columns between the instances of a tensor of heads that the vector unit and the CIM
  /// bank's epilogue can write and read without straddling words.
  std::int64_t aligned_columns(std::int64_t columns) const;
  /// True when write() of codes (or normalised sums) needs `staging`.
  bool stages(model::TensorId id) const;
  /// Memory for what write() will put there, where its place needs some: false
  /// when there is none.
  bool can_open(model::TensorId id, int instance);
  void open(model::TensorId id, int instance);
  /// Puts the sums of a rectangle of the tensor (`part`, in its own coordinates)
  /// where they belong: requantised in place, through `staging`, or stored as they
  /// are. `part` lies in one instance, where the tensor has them.
  void write(model::TensorId id, int instance, const Rectangle& part, const Sums& sums,
             Rotation& staging);

  /// Panels of `count` instances from `first` on as one buffer, `stride_columns` apart,
  /// for the product that makes them together. False when there is no room.
  bool can_open_together(model::TensorId id, int first, int count, std::int64_t stride_columns);
  void open_together(model::TensorId id, int first, int count, std::int64_t stride_columns);

  /// Where an engine writes a rectangle of a resident tensor itself, and what it
  /// says when it has: an output is stored, too.
  View place_of(model::TensorId id, int instance, const Rectangle& part);
  void wrote(model::TensorId id, int instance, const Rectangle& part);
  /// The same of a tensor in the DRAM as well, whose rectangle lies in `block`.
  void wrote(model::TensorId id, int instance, const Rectangle& part, const View& block);

  /// Address and pitch of new bytes in the DRAM, for a weight's next strip.
  DramPiece& add_piece(model::TensorId id, const DramPiece& shape, std::int64_t pitch_bytes);
  std::uint64_t reserve_dram(std::int64_t bytes, const std::string& what);

  /// A line of the report; `text` makes it where the program is kept.
  template <typename Text>
  void choose(Text text) {
    if (emitter_.keeps()) choices_.push_back(text());
  }
  Mapping finish();

 private:
  const DramTensor& in_dram(model::TensorId id);
  DramTensor& new_dram_tensor(model::TensorId id);
  void copy(bool to_scratchpad, model::TensorId id, const Rectangle& part, const View& view);
  void requantise(const View& to, const Rectangle& part, const Sums& sums, bool codes);

  const ChipConfig& config_;
  const model::Graph& graph_;
  Emitter emitter_;
  std::vector<Home> homes_;
  std::vector<DramTensor> dram_;
  std::int64_t dram_bytes_ = 0;
  std::vector<std::string> choices_;
};

}  // namespace quadrille::hw
