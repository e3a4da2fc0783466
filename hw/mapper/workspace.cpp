#include "hw/mapper/workspace.h"

#include <algorithm>
#include <numeric>

#include "model/errors.h"

namespace quadrille::hw {
namespace {

using model::Format;
using model::TensorId;

std::size_t at(int index) { return static_cast<std::size_t>(std::max(index, 0)); }

}  // namespace

Rotation::Rotation(Emitter& emitter, int count, std::int64_t rows, std::int64_t row_bytes,
                   const char* what) {
  for (int i = 0; i < count; ++i) buffers_.push_back(emitter.allocate(rows, row_bytes, what));
}

void Rotation::release(ScratchpadAllocator& memory) {
  for (Buffer& buffer : buffers_) memory.release(buffer);
  buffers_.clear();
}

Workspace::Workspace(const ChipConfig& config, const model::Graph& graph, const CommandCost& cost,
                     bool keep)
    : config_(config), graph_(graph), emitter_(config, cost, keep), homes_(graph.tensors.size()) {}

// --- sources -------------------------------------------------------------------

bool Workspace::complete(TensorId id, int instance) const {
  const Home& home = homes_[static_cast<std::size_t>(id)];
  if (!home.made) return true;
  if (home.written.empty()) return false;
  if (instance < 0 || !home.grid) {
    std::int64_t written = 0;
    for (const std::int64_t elements : home.written) written += elements;
    return written == graph_.tensor(id).elements();
  }
  return home.written[at(instance)] == home.grid->rows * home.grid->columns;
}

std::int64_t Workspace::ready_at(TensorId id, int instance) {
  const Home& home = this->home(id);
  if (home.buffers.empty()) return 0;
  const Buffer& buffer = home.buffers[home.place == Place::kRows ? 0 : at(instance)];
  return emitter_.written_at(buffer.address, buffer.bytes);
}

bool Workspace::fetched(TensorId id) const {
  const Home& home = homes_[static_cast<std::size_t>(id)];
  return home.place == Place::kDram && !home.held;
}

View Workspace::read(TensorId id, int instance, const Rectangle& part, Rotation& staging) {
  Home& home = this->home(id);
  const int element = bytes_of(tensor(id).format);
  if (home.place == Place::kPanels || home.held) {
    if (home.buffers.empty()) home.buffers.resize(at(home.grid->instances));
    Buffer& panel = home.buffers[at(instance)];
    if (panel.bytes == 0) {  // Held: here on its first read.
      const Grid& grid = *home.grid;
      panel = emitter_.allocate(grid.rows, grid.columns * element, tensor(id).name.c_str());
      fetch(id, {grid.first_row(instance), grid.rows, grid.first_column(instance), grid.columns},
            view_of(panel));
    }
    return view_of(panel).from(part.row, part.column * element);
  }
  const View to = view_of(staging.next());
  fetch(id,
        {home.grid->first_row(instance) + part.row, part.rows,
         home.grid->first_column(instance) + part.column, part.columns},
        to);
  return to;
}

bool Workspace::can_hold(TensorId id, int instance) {
  const Home& home = this->home(id);
  if (!home.held) return true;
  if (!home.buffers.empty() && home.buffers[at(instance)].bytes > 0) return true;
  return emitter_.memory().fits(
      emitter_.memory().bytes(home.grid->rows, home.grid->columns * bytes_of(tensor(id).format)));
}

void Workspace::done(TensorId id, int instance) {
  Home& home = this->home(id);
  if (home.place != Place::kPanels && !home.held) return;
  if (--home.reads_left[at(instance)] > 0) return;
  const int shared = home.shared_by.empty() ? -1 : home.shared_by[at(instance)];
  if (shared < 0) {
    emitter_.memory().release(home.buffers[at(instance)]);
    return;
  }
  home.buffers[at(instance)] = {};
  SharedPanel& panel = home.shared[at(shared)];
  if (--panel.instances_left == 0) emitter_.memory().release(panel.buffer);
}

void Workspace::fetch(TensorId id, const Rectangle& part, const View& to) {
  copy(true, id, part, to);
}

void Workspace::store(TensorId id, const Rectangle& part, const View& from) {
  copy(false, id, part, from);
}

void Workspace::copy(bool to_scratchpad, TensorId id, const Rectangle& part, const View& view) {
  const DramTensor& tensor = in_dram(id);
  const int element = tensor.element_bytes;
  for (const DramPiece& piece : tensor.pieces) {
    const std::int64_t row = std::max(part.row, piece.first_row);
    const std::int64_t rows = std::min(part.row + part.rows, piece.first_row + piece.rows) - row;
    const std::int64_t column = std::max(part.column, piece.first_column);
    const std::int64_t columns =
        std::min(part.column + part.columns, piece.first_column + piece.columns) - column;
    if (rows <= 0 || columns <= 0) continue;
    const View here = view.from(row - part.row, (column - part.column) * element);
    DmaCopy copy{
        to_scratchpad,
        piece.address + static_cast<std::uint64_t>((row - piece.first_row) * piece.pitch_bytes +
                                                   (column - piece.first_column) * element),
        piece.pitch_bytes,
        here.address,
        here.pitch_bytes,
        rows,
        columns * element};
    // Without gaps on either side it is one long row, in whole words.
    if (copy.dram_pitch_bytes == copy.row_bytes && copy.scratchpad_pitch_bytes == copy.row_bytes) {
      copy.row_bytes *= copy.rows;
      copy.rows = 1;
    }
    emitter_.add(copy);
  }
}

// --- sinks ---------------------------------------------------------------------

std::int64_t Workspace::aligned_columns(std::int64_t columns) const {
  const std::int64_t beat =
      std::lcm<std::int64_t>(config_.vector.lanes, results_per_beat(config_.cim));
  if (columns >= beat) return round_up(columns, beat);
  std::int64_t aligned = 1;
  while (aligned < columns) aligned *= 2;
  return aligned;
}

bool Workspace::stages(TensorId id) const {
  return homes_[static_cast<std::size_t>(id)].place == Place::kDram;
}

bool Workspace::can_open(TensorId id, int instance) {
  const Home& home = this->home(id);
  const model::Tensor& tensor = this->tensor(id);
  ScratchpadAllocator& memory = emitter_.memory();
  if (home.place == Place::kDram) return true;
  if (home.place == Place::kRows) {
    const std::int64_t row_bytes =
        home.grid ? home.grid->per_batch * home.column_stride : tensor.row_bytes();
    return !home.buffers.empty() || memory.fits(memory.bytes(tensor.rows, row_bytes));
  }
  if (!home.buffers.empty() && home.buffers[at(instance)].bytes > 0) return true;
  return memory.fits(memory.bytes(home.grid->rows, home.grid->columns * bytes_of(tensor.format)));
}

void Workspace::open(TensorId id, int instance) {
  Home& home = this->home(id);
  const model::Tensor& tensor = this->tensor(id);
  if (home.written.empty()) home.written.resize(home.grid ? at(home.grid->instances) : 1);
  if (home.place == Place::kDram) return;
  if (home.place == Place::kRows) {
    if (!home.buffers.empty()) return;
    const std::int64_t row_bytes =
        home.grid ? home.grid->per_batch * home.column_stride : tensor.row_bytes();
    home.buffers.push_back(emitter_.allocate(tensor.rows, row_bytes, tensor.name.c_str()));
    return;
  }
  if (home.buffers.empty()) home.buffers.resize(at(home.grid->instances));
  Buffer& panel = home.buffers[at(instance)];
  if (panel.bytes > 0) return;
  panel = emitter_.allocate(home.grid->rows, home.grid->columns * bytes_of(tensor.format),
                            tensor.name.c_str());
}

bool Workspace::can_open_together(TensorId id, int first, int count, std::int64_t stride_columns) {
  const Home& home = this->home(id);
  if (!home.buffers.empty() && home.buffers[at(first)].bytes > 0) return true;
  const int element = bytes_of(tensor(id).format);
  const ScratchpadAllocator& memory = emitter_.memory();
  return memory.fits(memory.bytes(home.grid->rows, count * stride_columns * element));
}

void Workspace::open_together(TensorId id, int first, int count, std::int64_t stride_columns) {
  Home& home = this->home(id);
  const auto instances = at(home.grid->instances);
  if (home.written.empty()) home.written.resize(instances);
  if (home.buffers.empty()) home.buffers.resize(instances);
  if (home.buffers[at(first)].bytes > 0) return;
  if (home.shared_by.empty()) home.shared_by.assign(instances, -1);
  const int element = bytes_of(tensor(id).format);
  SharedPanel panel;
  panel.buffer =
      emitter_.allocate(home.grid->rows, count * stride_columns * element, tensor(id).name.c_str());
  panel.instances_left = count;
  for (int i = 0; i < count; ++i) {
    const std::int64_t pitch = panel.buffer.pitch_bytes;
    home.buffers[at(first + i)] = {panel.buffer.at(0, i * stride_columns * element), pitch,
                                   (home.grid->rows - 1) * pitch + home.grid->columns * element};
    home.shared_by[at(first + i)] = static_cast<int>(home.shared.size());
  }
  home.shared.push_back(panel);
}

void Workspace::requantise(const View& to, const Rectangle& part, const Sums& sums, bool codes) {
  VectorRequantise operation;
  operation.source = sums.view.address;
  operation.source_pitch_bytes = sums.view.pitch_bytes;
  operation.destination = to.address;
  operation.destination_pitch_bytes = to.pitch_bytes;
  operation.rows = static_cast<int>(part.rows);
  operation.columns = static_cast<int>(part.columns);
  operation.from = sums.codes ? VectorSource::kCodes8 : VectorSource::kSums32;
  operation.to = codes ? VectorResult::kCodes8 : VectorResult::kSums32;
  if (codes) operation.multiplier = sums.out;
  if (sums.reciprocals) {
    operation.normalise = true;
    operation.reciprocals = *sums.reciprocals;
    operation.fraction_bits = sums.fraction_bits;
  }
  emitter_.add(operation);
}

View Workspace::place_of(TensorId id, int instance, const Rectangle& part) {
  const Home& home = this->home(id);
  const int element = bytes_of(tensor(id).format);
  if (home.place == Place::kPanels) {
    return view_of(home.buffers[at(instance)])
        .from(part.row - home.grid->first_row(instance),
              (part.column - home.grid->first_column(instance)) * element);
  }
  if (!home.grid) return view_of(home.buffers[0]).from(part.row, part.column * element);
  const std::int64_t head = instance % home.grid->per_batch;
  return view_of(home.buffers[0])
      .from(part.row, head * home.column_stride + part.column - home.grid->first_column(instance));
}

void Workspace::wrote(TensorId id, int instance, const Rectangle& part) {
  home(id).written[at(instance)] += part.rows * part.columns;
  if (tensor(id).role == model::Role::kOutput) store(id, part, place_of(id, instance, part));
}

void Workspace::wrote(TensorId id, int instance, const Rectangle& part, const View& block) {
  if (home(id).place != Place::kDram) return wrote(id, instance, part);
  home(id).written[at(instance)] += part.rows * part.columns;
  store(id, part, block);
}

void Workspace::write(TensorId id, int instance, const Rectangle& part, const Sums& sums,
                      Rotation& staging) {
  open(id, instance);
  const bool codes = tensor(id).format == Format::kCodes8;
  if (home(id).place != Place::kDram) {
    requantise(place_of(id, instance, part), part, sums, codes);
    wrote(id, instance, part);
    return;
  }
  home(id).written[at(instance)] += part.rows * part.columns;
  if (!codes && !sums.reciprocals) {
    store(id, part, sums.view);
    return;
  }
  const View block = view_of(staging.next());
  requantise(block, part, sums, codes);
  store(id, part, block);
}

// --- DRAM ----------------------------------------------------------------------

std::uint64_t Workspace::reserve_dram(std::int64_t bytes, const std::string& what) {
  const auto address = static_cast<std::uint64_t>(dram_bytes_);
  dram_bytes_ += round_up(bytes, config_.dram.burst_bytes);
  if (dram_bytes_ > config_.dram.capacity_bytes) {
    throw DoesNotFit{emitter_.node(), what, dram_bytes_, config_.dram.capacity_bytes,
                     DoesNotFit::Resource::kDram};
  }
  return address;
}

DramTensor& Workspace::new_dram_tensor(TensorId id) {
  const model::Tensor& tensor = this->tensor(id);
  home(id).dram = static_cast<int>(dram_.size());
  dram_.push_back(
      {tensor.name, tensor.rows, tensor.columns, bytes_of(tensor.format), tensor.role, {}});
  return dram_.back();
}

// Spilled values of heads lie instance by instance, all others row by row.
const DramTensor& Workspace::in_dram(TensorId id) {
  Home& home = this->home(id);
  if (home.dram >= 0) return dram_[at(home.dram)];
  DramTensor& made = new_dram_tensor(id);
  const std::int64_t burst = config_.dram.burst_bytes;
  const bool panels = made.role == model::Role::kValue && home.grid;
  for (int i = 0; i < (panels ? home.grid->instances : 1); ++i) {
    DramPiece piece;
    piece.rows = panels ? home.grid->rows : made.rows;
    piece.columns = panels ? home.grid->columns : made.columns;
    if (panels) {
      piece.first_row = home.grid->first_row(i);
      piece.first_column = home.grid->first_column(i);
    }
    const std::int64_t row_bytes = piece.columns * made.element_bytes;
    piece.pitch_bytes =
        home.flat || burst % row_bytes == 0 ? row_bytes : round_up(row_bytes, burst);
    piece.address = reserve_dram(piece.rows * piece.pitch_bytes, made.name);
    made.pieces.push_back(piece);
  }
  return made;
}

DramPiece& Workspace::add_piece(TensorId id, const DramPiece& shape, std::int64_t pitch_bytes) {
  Home& home = this->home(id);
  DramTensor& tensor = home.dram >= 0 ? dram_[at(home.dram)] : new_dram_tensor(id);
  tensor.pieces.push_back(shape);
  tensor.pieces.back().pitch_bytes = pitch_bytes;
  return tensor.pieces.back();
}

Mapping Workspace::finish() {
  for (std::size_t id = 0; id < homes_.size(); ++id) {
    if (graph_.tensors[id].role != model::Role::kValue) in_dram(static_cast<TensorId>(id));
  }
  Mapping mapping;
  mapping.program.commands = emitter_.take();
  for (const model::Node& node : graph_.nodes)
    mapping.program.nodes.push_back({node.name, node.layer});
  mapping.tensors = std::move(dram_);
  mapping.choices = std::move(choices_);
  mapping.scratchpad_bytes = emitter_.memory().high_water();
  mapping.estimated_cycles = emitter_.cycles();
  return mapping;
}

}  // namespace quadrille::hw
