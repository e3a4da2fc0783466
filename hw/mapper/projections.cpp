#include "hw/mapper/projections.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "hw/engines/cim/exact_product.h"
#include "model/errors.h"

namespace quadrille::hw {

using model::Format;
using model::TensorId;

namespace {

/// Rows of X with the padding between its heads, where it lies in whole rows.
std::int64_t padded_width(Workspace& workspace, TensorId x) {
  const Home& home = workspace.home(x);
  if (home.place == Place::kRows && home.grid && home.grid->in_columns)
    return home.grid->per_batch * home.column_stride;
  return workspace.tensor(x).columns;
}

std::int64_t heads_side_by_side(const Home& home) {
  return home.grid && home.grid->in_columns ? home.grid->per_batch : 1;
}

}  // namespace

int Projections::least_macros(const ChipConfig& config, const model::Graph& graph) {
  std::int64_t least = 0;
  for (const model::Node& node : graph.nodes) {
    if (!std::holds_alternative<model::Linear>(node.op)) continue;
    least = std::max(least, divide_up(graph.tensor(node.input(1)).rows, config.cim.rows));
  }
  return static_cast<int>(least);
}

Projections::Projections(Workspace& workspace, const model::IntegerGraph& graph,
                         const Choices& choices, const MacroRange& macros)
    : workspace_(workspace), choices_(choices), macros_(macros) {
  collect(graph);
  for (Job& job : jobs_) make_strips(job);
  for (std::size_t i = 0; i < groups_.size(); ++i) make_tasks(groups_[i], static_cast<int>(i));
  assign_slots();
}

void Projections::collect(const model::IntegerGraph& integer) {
  const model::Graph& graph = integer.graph;
  for (std::size_t index = 0; index < graph.nodes.size(); ++index) {
    const model::Node& node = graph.nodes[index];
    const auto* linear = std::get_if<model::Linear>(&node.op);
    const bool scalars = std::holds_alternative<model::DamfProject>(node.op);
    if (linear == nullptr && !scalars) continue;
    if (groups_.empty() || groups_.back().x != node.input(0)) {
      groups_.emplace_back();
      groups_.back().x = node.input(0);
      const std::int64_t rows = workspace_.tensor(node.input(0)).rows;
      const bool here = workspace_.home(node.input(0)).place == Place::kRows;
      groups_.back().blocks =
          here ? 1
               : static_cast<int>(divide_up(
                     rows, equal_part(rows, std::min<std::int64_t>(choices_.input_blocks, rows))));
    }
    if (scalars) {
      groups_.back().scalars.push_back(static_cast<int>(index));
      static const model::DamfProjectInteger kNone;
      const auto* form = index < integer.forms.size()
                             ? std::get_if<model::DamfProjectInteger>(&integer.forms[index])
                             : nullptr;
      groups_.back().forms.push_back(form != nullptr ? form : &kNone);
      continue;
    }
    Job job;
    job.node = static_cast<int>(index);
    job.x = node.input(0);
    job.w = node.input(1);
    job.y = node.output(0);
    job.settings = *linear;
    job.out = integer.form<model::LinearInteger>(index).out;
    job.useful_k = graph.tensor(job.w).rows;
    job.k = padded_width(workspace_, job.x);
    groups_.back().jobs.push_back(static_cast<int>(jobs_.size()));
    jobs_.push_back(std::move(job));
  }
}

/// Columns from head to head in the strips of Y.
std::int64_t Projections::strip_stride(const Job& job) const {
  const std::int64_t heads = heads_side_by_side(workspace_.home(job.y));
  const model::Tensor& y = workspace_.tensor(job.y);
  const std::int64_t width = y.columns / heads;
  return heads > 1 && y.format == Format::kCodes8 ? workspace_.aligned_columns(width) : width;
}

// Codes of a strip are one rectangle, head beside head: so they must lie in the
// scratchpad, and heads must begin there where engines and DMA may begin to read.
bool Projections::may_use_epilogue(const Job& job) const {
  const Home& home = workspace_.home(job.y);
  if (workspace_.tensor(job.y).format != Format::kCodes8) return false;
  if (!home.grid || home.place == Place::kRows) return true;
  const std::int64_t stride = strip_stride(job);
  return home.grid->in_columns && stride == workspace_.emit().memory().pitch(stride);
}

/// Columns of a strip: as many as choices and macros allow, in steps at which writers and
/// readers may begin; whole heads where the epilogue makes panels of them.
std::int64_t Projections::strip_columns(const Job& job, std::int64_t total) const {
  const ChipConfig& config = workspace_.config();
  const std::int64_t row_tiles = divide_up(job.k, config.cim.rows);
  // At most half of the macros, so that the next strip is written meanwhile.
  const std::int64_t most_tiles = std::max<std::int64_t>(1, macros_.count / (2 * row_tiles));
  std::int64_t widest =
      std::min<std::int64_t>(choices_.strip_tiles, most_tiles) * config.cim.columns;
  std::int64_t granule = 1;
  if (workspace_.tensor(job.y).format == Format::kCodes8)
    granule = std::lcm<std::int64_t>(config.vector.lanes, results_per_beat(config.cim));
  if (may_use_epilogue(job) && workspace_.home(job.y).place == Place::kPanels &&
      strip_stride(job) <= widest)
    granule = std::lcm(granule, strip_stride(job));
  if (widest >= granule) {
    widest -= widest % granule;
  } else {
    while ((widest & (widest - 1)) != 0) widest &= widest - 1;
  }
  return std::min(widest,
                  round_up(divide_up(total, divide_up(total, widest)), std::min(granule, widest)));
}

// Strips of equal width. A strip's pieces begin, in the strip and in a head, where
// a beat of the vector unit may begin.
void Projections::make_strips(Job& job) const {
  const std::int64_t row_tiles = divide_up(job.k, workspace_.config().cim.rows);
  if (row_tiles > macros_.count)
    throw DoesNotFit{job.node, "a strip of its weights", row_tiles, macros_.count,
                     DoesNotFit::Resource::kMacros};
  const Home& home = workspace_.home(job.y);
  const std::int64_t heads = heads_side_by_side(home);
  const std::int64_t width = workspace_.tensor(job.y).columns / heads;
  const std::int64_t stride = strip_stride(job);
  const std::int64_t total = (heads - 1) * stride + width;
  const std::int64_t step = strip_columns(job, total);
  for (std::int64_t first = 0; first < total; first += step) {
    Strip strip;
    strip.columns = std::min(step, total - first);
    bool whole = true;
    for (std::int64_t head = first / stride; head < heads && head * stride < first + strip.columns;
         ++head) {
      const std::int64_t begin = std::max(first, head * stride);
      const std::int64_t end = std::min(first + strip.columns, head * stride + width);
      if (begin >= end) continue;
      whole = whole && end - begin == width;
      strip.pieces.push_back({head * width + begin - head * stride, end - begin, begin - first});
      strip.useful_columns += end - begin;
    }
    strip.by_epilogue = may_use_epilogue(job) && (home.place != Place::kPanels || whole);
    if (!strip.pieces.empty()) job.strips.push_back(std::move(strip));
  }
}

void Projections::make_tasks(Group& group, int index) {
  const std::int64_t rows = workspace_.tensor(group.x).rows;
  const std::int64_t part = equal_part(rows, group.blocks);
  for (int block = 0; block < group.blocks; ++block) {
    const std::int64_t first = block * part;
    group.inputs.push_back({{}, first, std::min(part, rows - first)});
    if (!group.scalars.empty()) tasks_.push_back({index, block, -1, 0, 0, false, {}, 0});
    const std::size_t begin = tasks_.size();
    for (const int job : group.jobs) {
      const auto& strips = jobs_[static_cast<std::size_t>(job)].strips;
      for (std::size_t strip = 0; strip < strips.size(); ++strip)
        tasks_.push_back({index, block, job, static_cast<int>(strip), 0, false, {}, 0});
    }
    if (!choices_.heads_first) continue;
    const auto share = [&](const Task& task) {
      const Job& job = jobs_[static_cast<std::size_t>(task.job)];
      const Strip::Piece& last = job.strips[static_cast<std::size_t>(task.strip)].pieces.back();
      return static_cast<double>(last.column + last.columns) /
             static_cast<double>(workspace_.tensor(job.y).columns);
    };
    std::stable_sort(tasks_.begin() + static_cast<std::ptrdiff_t>(begin), tasks_.end(),
                     [&](const Task& a, const Task& b) { return share(a) < share(b); });
  }
  group.last_task = tasks_.size() - 1;
}

void Projections::assign_slots() {
  const CimConfig& cim = workspace_.config().cim;
  for (const Job& job : jobs_) {
    for (const Strip& strip : job.strips) {
      const std::int64_t macros =
          divide_up(job.k, cim.rows) * divide_up(strip.columns, cim.columns);
      slot_macros_ = std::max(slot_macros_, static_cast<int>(macros));
    }
  }
  if (jobs_.empty()) return;
  slots_ = std::max(1, macros_.count / slot_macros_);
  int next = 0;
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    Task& task = tasks_[i];
    if (task.job < 0) continue;
    const Group& group = groups_[static_cast<std::size_t>(task.group)];
    int strips = 0;
    for (const int job : group.jobs)
      strips += static_cast<int>(jobs_[static_cast<std::size_t>(job)].strips.size());
    if (task.block > 0 && strips <= slots_) {
      const std::size_t before =
          i - static_cast<std::size_t>(strips) - (group.scalars.empty() ? 0 : 1);
      task.slot = tasks_[before].slot;
      task.stays = true;
      continue;
    }
    task.slot = next++ % slots_;
  }
}

bool Projections::fits(std::int64_t bytes, int node, const char* what) {
  if (workspace_.emit().memory().fits(bytes)) return true;
  blocked_ = {node, what, bytes, workspace_.emit().memory().largest_free(),
              DoesNotFit::Resource::kScratchpad};
  return false;
}

// --- fetching --------------------------------------------------------------------

void Projections::prefetch() {
  if (done()) return;
  while (load_input()) {
  }
  while (load_strip()) {
  }
}

// The present part of the tokens, and the next one where there is room.
bool Projections::load_input() {
  Group& group = groups_[static_cast<std::size_t>(tasks_[current_].group)];
  if (workspace_.home(group.x).place == Place::kRows) return false;
  if (group.inputs_loaded == group.blocks || group.inputs_loaded >= group.inputs_done + 2)
    return false;
  if (!workspace_.complete(group.x, -1)) return false;
  const model::Tensor& x = workspace_.tensor(group.x);
  Emitter& emit = workspace_.emit();
  InputBlock& input = group.inputs[static_cast<std::size_t>(group.inputs_loaded)];
  const int node =
      group.jobs.empty() ? group.scalars[0] : jobs_[static_cast<std::size_t>(group.jobs[0])].node;
  if (!fits(emit.memory().bytes(input.rows, x.row_bytes()), node, x.name.c_str())) return false;
  emit.enter(node, "load_input");
  input.buffer = emit.allocate(input.rows, x.row_bytes(), x.name.c_str());
  const std::int64_t part =
      equal_part(input.rows, std::min<std::int64_t>(choices_.token_blocks, input.rows));
  for (std::int64_t row = 0; row < input.rows; row += part) {
    workspace_.fetch(group.x,
                     {input.first_row + row, std::min(part, input.rows - row), 0, x.columns},
                     view_of(input.buffer).from(row));
  }
  ++group.inputs_loaded;
  return true;
}

bool Projections::load_strip() {
  while (loaded_ < tasks_.size() && (tasks_[loaded_].job < 0 || tasks_[loaded_].stays)) ++loaded_;
  if (loaded_ == tasks_.size() ||
      loaded_ >= std::max(written_, current_) + static_cast<std::size_t>(choices_.strips_ahead))
    return false;
  Task& task = tasks_[loaded_];
  Job& job = jobs_[static_cast<std::size_t>(task.job)];
  Strip& strip = job.strips[static_cast<std::size_t>(task.strip)];
  Emitter& emit = workspace_.emit();
  if (!fits(emit.memory().bytes(job.k, strip.columns), job.node, "a strip of its weights"))
    return false;
  emit.enter(job.node, "load_weights");
  task.staging = emit.allocate(job.k, strip.columns, "a strip of its weights");
  if (!strip.placed) {
    strip.placed = true;
    strip.dram_address =
        workspace_.reserve_dram(job.k * strip.columns, workspace_.tensor(job.w).name);
    const Home& x = workspace_.home(job.x);
    const std::int64_t heads = job.k == job.useful_k ? 1 : x.grid->per_batch;
    for (std::int64_t head = 0; head < heads; ++head) {
      for (const Strip::Piece& piece : strip.pieces) {
        DramPiece shape;
        shape.first_row = head * job.useful_k / heads;
        shape.rows = job.useful_k / heads;
        shape.first_column = piece.column;
        shape.columns = piece.columns;
        shape.address =
            strip.dram_address +
            static_cast<std::uint64_t>(head * job.k / heads * strip.columns + piece.offset);
        workspace_.add_piece(job.w, shape, strip.columns);
      }
    }
  }
  emit.add(DmaCopy{true, strip.dram_address, strip.columns, task.staging.address,
                   task.staging.pitch_bytes, job.k, strip.columns});
  ++loaded_;
  return true;
}

// --- writing ---------------------------------------------------------------------

bool Projections::can_write() const {
  std::size_t next = written_;
  while (next < tasks_.size() && (tasks_[next].job < 0 || tasks_[next].stays)) ++next;
  if (next >= loaded_) return false;
  // Its slot must not be needed by an earlier strip any more.
  for (std::size_t i = current_; i < next; ++i) {
    if (tasks_[i].job >= 0 && tasks_[i].slot == tasks_[next].slot) return false;
  }
  return true;
}

std::int64_t Projections::write_at() const {
  std::size_t next = written_;
  while (tasks_[next].job < 0 || tasks_[next].stays) ++next;
  const Task& task = tasks_[next];
  Emitter& emit = workspace_.emit();
  return std::max({emit.free_at(Unit::kCimWrite),
                   emit.written_at(task.staging.address, task.staging.bytes),
                   emit.macros_free_at(macros_.first + task.slot * slot_macros_, slot_macros_)});
}

void Projections::write() {
  while (tasks_[written_].job < 0 || tasks_[written_].stays) ++written_;
  Task& task = tasks_[written_++];
  const Job& job = jobs_[static_cast<std::size_t>(task.job)];
  const Strip& strip = job.strips[static_cast<std::size_t>(task.strip)];
  const CimConfig& cim = workspace_.config().cim;
  CimWrite operation;
  operation.source = task.staging.address;
  operation.source_pitch_bytes = task.staging.pitch_bytes;
  operation.rows = static_cast<int>(job.k);
  operation.columns = static_cast<int>(strip.columns);
  operation.weight_bits = job.settings.weight_bits;
  operation.region = {macros_.first + task.slot * slot_macros_,
                      static_cast<int>(divide_up(job.k, cim.rows)),
                      static_cast<int>(divide_up(strip.columns, cim.columns))};
  workspace_.emit().enter(job.node, "load_weights");
  task.ready = workspace_.emit().add(operation);
  workspace_.emit().memory().release(task.staging);
}

// --- multiplying -----------------------------------------------------------------

bool Projections::begin_group(Group& group) {
  if (group.begun) return true;
  Emitter& emit = workspace_.emit();
  ScratchpadAllocator& memory = emit.memory();
  std::int64_t widest = 0, codes_width = 0;
  int node = group.scalars.empty() ? 0 : group.scalars[0];
  for (const int index : group.jobs) {
    const Job& job = jobs_[static_cast<std::size_t>(index)];
    node = job.node;
    for (const Strip& strip : job.strips) {
      if (!strip.by_epilogue) widest = std::max(widest, strip.columns);
      if (workspace_.tensor(job.y).format == Format::kCodes8 && workspace_.stages(job.y))
        codes_width = std::max(codes_width, strip.columns);
    }
  }
  const std::int64_t rows = group.inputs[0].rows;
  group.block_rows = std::min<std::int64_t>(
      equal_part(rows, std::min<std::int64_t>(choices_.token_blocks, rows)), kCimMostTokens);
  std::int64_t vectors = 0;
  const model::Graph& graph = workspace_.graph();
  for (const int scalars : group.scalars) {
    const model::Tensor& u = graph.tensor(graph.nodes[static_cast<std::size_t>(scalars)].input(1));
    vectors += 2 * memory.bytes(u.rows, u.row_bytes());
  }
  if (!fits(vectors + choices_.sums_blocks * (memory.bytes(group.block_rows, 4 * widest) +
                                              memory.bytes(group.block_rows, codes_width)),
            node, widest > 0 ? "blocks of 32-bit sums" : "blocks of codes"))
    return false;
  emit.enter(node, "load_weights");
  if (widest > 0)
    group.sums =
        Rotation(emit, choices_.sums_blocks, group.block_rows, 4 * widest, "blocks of 32-bit sums");
  if (codes_width > 0)
    group.codes =
        Rotation(emit, choices_.sums_blocks, group.block_rows, codes_width, "blocks of codes");
  for (const int scalars : group.scalars) {
    emit.enter(scalars, "load_weights");
    for (const std::size_t slot : {1, 2}) {
      const TensorId id = graph.nodes[static_cast<std::size_t>(scalars)].input(slot);
      const model::Tensor& vector = graph.tensor(id);
      group.vectors.push_back(emit.allocate(vector.rows, vector.row_bytes(), vector.name.c_str()));
      workspace_.fetch(id, {0, vector.rows, 0, vector.columns}, view_of(group.vectors.back()));
    }
  }
  group.begun = true;
  return true;
}

bool Projections::can_multiply() {
  if (done()) return false;
  const Task& task = tasks_[current_];
  Group& group = groups_[static_cast<std::size_t>(task.group)];
  if (task.job >= 0 && !task.stays && written_ <= current_) return false;
  const bool rows_here = workspace_.home(group.x).place == Place::kRows;
  if (rows_here ? !workspace_.complete(group.x, -1) : group.inputs_loaded <= task.block)
    return false;
  if (!begin_group(group)) return false;
  if (task.job < 0) return true;
  const InputBlock& input = group.inputs[static_cast<std::size_t>(task.block)];
  return open_outputs(task, input.first_row + next_row_, next_rows());
}

/// Rows of the next block: of one batch entry only, where the epilogue makes panels.
std::int64_t Projections::next_rows() const {
  const Task& task = tasks_[current_];
  const Group& group = groups_[static_cast<std::size_t>(task.group)];
  const InputBlock& input = group.inputs[static_cast<std::size_t>(task.block)];
  const std::int64_t rows = std::min(group.block_rows, input.rows - next_row_);
  const Job& job = jobs_[static_cast<std::size_t>(task.job)];
  const Home& home = workspace_.home(job.y);
  if (!job.strips[static_cast<std::size_t>(task.strip)].by_epilogue || home.place != Place::kPanels)
    return rows;
  const std::int64_t row = input.first_row + next_row_;
  return std::min(rows, home.grid->rows - row % home.grid->rows);
}

std::int64_t Projections::multiply_at() {
  const Task& task = tasks_[current_];
  Group& group = groups_[static_cast<std::size_t>(task.group)];
  const InputBlock& input = group.inputs[static_cast<std::size_t>(task.block)];
  Emitter& emit = workspace_.emit();
  const std::int64_t x_ready =
      workspace_.home(group.x).place == Place::kRows
          ? workspace_.ready_at(group.x, 0)
          : emit.written_at(input.buffer.at(next_row_), input.buffer.pitch_bytes);
  const Unit unit = task.job < 0 ? Unit::kDamf : Unit::kCimCompute;
  return std::max({emit.free_at(unit), task.ready, x_ready});
}

namespace {

/// Calls visit(instance, rectangle) for every instance (or the whole tensor) that
/// the rectangle meets.
template <typename Visit>
void by_instance(const Home& home, const Rectangle& part, Visit visit) {
  if (!home.grid) {
    visit(-1, part);
    return;
  }
  const Grid& grid = *home.grid;
  const std::int64_t last = part.row + part.rows;
  for (std::int64_t row = part.row; row < last;) {
    const std::int64_t block = row / grid.rows;
    const std::int64_t rows = std::min(last, (block + 1) * grid.rows) - row;
    const std::int64_t first = grid.in_columns ? part.column / grid.columns : 0;
    for (std::int64_t column = part.column; column < part.column + part.columns;) {
      const std::int64_t end =
          grid.in_columns ? (column / grid.columns + 1) * grid.columns : grid.columns;
      const std::int64_t columns = std::min(end, part.column + part.columns) - column;
      const std::int64_t instance =
          grid.in_columns ? block * grid.per_batch + column / grid.columns : block + first;
      visit(static_cast<int>(instance), Rectangle{row, rows, column, columns});
      column += columns;
    }
    row += rows;
  }
}

}  // namespace

bool Projections::open_outputs(const Task& task, std::int64_t first_row, std::int64_t rows) {
  const Job& job = jobs_[static_cast<std::size_t>(task.job)];
  const Strip& strip = job.strips[static_cast<std::size_t>(task.strip)];
  const Home& home = workspace_.home(job.y);
  workspace_.emit().enter(job.node, "projection");
  if (strip.by_epilogue && home.place == Place::kPanels) return open_panels(job, strip, first_row);
  bool open = true;
  for (const Strip::Piece& piece : strip.pieces) {
    by_instance(home, {first_row, rows, piece.column, piece.columns},
                [&](int instance, const Rectangle&) {
                  if (!open) return;
                  open = workspace_.can_open(job.y, instance);
                  if (open) workspace_.open(job.y, instance);
                });
  }
  if (!open)
    blocked_ = {job.node, workspace_.tensor(job.y).name,
                home.grid ? workspace_.emit().memory().bytes(home.grid->rows, home.grid->columns)
                          : workspace_.tensor(job.y).elements(),
                workspace_.emit().memory().largest_free(), DoesNotFit::Resource::kScratchpad};
  return open;
}

namespace {
/// The instance that a strip of whole heads begins with, in these rows.
int first_instance(const Grid& grid, std::int64_t row, std::int64_t column) {
  return static_cast<int>(row / grid.rows * grid.per_batch + column / grid.columns);
}
}  // namespace

bool Projections::open_panels(const Job& job, const Strip& strip, std::int64_t first_row) {
  const Home& home = workspace_.home(job.y);
  const int first = first_instance(*home.grid, first_row, strip.pieces[0].column);
  const auto count = static_cast<int>(strip.pieces.size());
  if (workspace_.can_open_together(job.y, first, count, strip_stride(job))) {
    workspace_.open_together(job.y, first, count, strip_stride(job));
    return true;
  }
  const ScratchpadAllocator& memory = workspace_.emit().memory();
  blocked_ = {job.node, workspace_.tensor(job.y).name,
              memory.bytes(home.grid->rows, count * strip_stride(job)), memory.largest_free(),
              DoesNotFit::Resource::kScratchpad};
  return false;
}

/// Where the epilogue puts the codes of a strip, from these rows on.
View Projections::landing(const Job& job, const Strip& strip, Group& group,
                          std::int64_t first_row) {
  const Home& home = workspace_.home(job.y);
  if (home.place == Place::kDram) return view_of(group.codes.next());
  const Strip::Piece& piece = strip.pieces[0];
  const int instance = home.grid ? first_instance(*home.grid, first_row, piece.column) : -1;
  View view = workspace_.place_of(job.y, instance, {first_row, 1, piece.column, piece.columns});
  view.address -= static_cast<std::uint64_t>(piece.offset);
  return view;
}

View Projections::input_rows(TensorId x, const InputBlock& input, std::int64_t row) {
  const Home& home = workspace_.home(x);
  return home.place == Place::kRows ? view_of(home.buffers[0]).from(row)
                                    : view_of(input.buffer).from(row - input.first_row);
}

void Projections::multiply_block(const Task& task, std::int64_t first_row, std::int64_t rows) {
  const Job& job = jobs_[static_cast<std::size_t>(task.job)];
  const Strip& strip = job.strips[static_cast<std::size_t>(task.strip)];
  Group& group = groups_[static_cast<std::size_t>(task.group)];
  const InputBlock& input = group.inputs[static_cast<std::size_t>(task.block)];
  const View x = input_rows(job.x, input, first_row);
  const View out =
      strip.by_epilogue ? landing(job, strip, group, first_row) : view_of(group.sums.next());
  const CimConfig& cim = workspace_.config().cim;
  CimMultiply operation;
  operation.source = x.address;
  operation.source_pitch_bytes = x.pitch_bytes;
  operation.destination = out.address;
  operation.destination_pitch_bytes = out.pitch_bytes;
  if (strip.by_epilogue) {
    operation.epilogue.result = CimResult::kCodes8;
    operation.epilogue.multiplier = job.out;
  }
  operation.tokens = static_cast<int>(rows);
  operation.rows = static_cast<int>(job.k);
  operation.columns = static_cast<int>(strip.columns);
  operation.padding_rows = static_cast<int>(job.k - job.useful_k);
  operation.padding_columns = static_cast<int>(strip.columns - strip.useful_columns);
  operation.input_bits = job.settings.input_bits;
  operation.weight_bits = job.settings.weight_bits;
  operation.region = {macros_.first + task.slot * slot_macros_,
                      static_cast<int>(divide_up(job.k, cim.rows)),
                      static_cast<int>(divide_up(strip.columns, cim.columns))};
  Emitter& emit = workspace_.emit();
  emit.enter(job.node, workspace_.home(job.x).made ? "output_projection" : "projection");
  emit.add(operation);
  const bool codes = workspace_.tensor(job.y).format == Format::kCodes8;
  emit.enter(job.node, codes && !strip.by_epilogue ? "requantise" : "store_output");
  for (const Strip::Piece& piece : strip.pieces) {
    by_instance(workspace_.home(job.y), {first_row, rows, piece.column, piece.columns},
                [&](int instance, const Rectangle& part) {
                  const std::int64_t column = piece.offset + part.column - piece.column;
                  if (strip.by_epilogue) {
                    workspace_.wrote(job.y, instance, part, out.from(part.row - first_row, column));
                    return;
                  }
                  Sums block;
                  block.view = out.from(part.row - first_row, 4 * column);
                  block.out = job.out;
                  workspace_.write(job.y, instance, part, block, group.codes);
                });
  }
}

void Projections::project_scalars(const Group& group, const InputBlock& input) {
  const model::Graph& graph = workspace_.graph();
  Emitter& emit = workspace_.emit();
  for (std::size_t n = 0; n < group.scalars.size(); ++n) {
    const model::Node& node = graph.nodes[static_cast<std::size_t>(group.scalars[n])];
    const int batch = std::get<model::DamfProject>(node.op).batch;
    const model::DamfProjectInteger& form = *group.forms[n];
    const TensorId st = node.output(0);
    const std::int64_t tokens = workspace_.tensor(group.x).rows / batch;
    const std::int64_t heads = workspace_.tensor(st).rows / batch;
    for (std::int64_t row = input.first_row; row < input.first_row + input.rows;) {
      const std::int64_t b = row / tokens;
      const std::int64_t rows = std::min(input.first_row + input.rows, (b + 1) * tokens) - row;
      for (std::int64_t head = 0; head < heads; ++head) {
        emit.enter(group.scalars[n], "score_inner", static_cast<int>(head));
        const int instance = static_cast<int>(b * heads + head);
        workspace_.open(st, instance);
        const Rectangle part{instance, 1, 2 * (row - b * tokens), 2 * rows};
        const View pairs = workspace_.place_of(st, instance, part);
        const Buffer& u = group.vectors[2 * n];
        const Buffer& v = group.vectors[2 * n + 1];
        DamfProject operation;
        operation.u = u.at(head);
        operation.v = v.at(head);
        const View x = input_rows(group.x, input, row);
        operation.source = x.address;
        operation.source_pitch_bytes = x.pitch_bytes;
        operation.destination = pairs.address;
        operation.tokens = static_cast<int>(rows);
        operation.width = static_cast<int>(workspace_.tensor(group.x).columns);
        if (!form.s.empty()) {
          operation.s_multiplier = form.s[static_cast<std::size_t>(head)];
          operation.t_multiplier = form.t[static_cast<std::size_t>(head)];
        }
        emit.add(operation);
        workspace_.wrote(st, instance, part);
      }
      row += rows;
    }
  }
}

void Projections::multiply() {
  const Task& task = tasks_[current_];
  Group& group = groups_[static_cast<std::size_t>(task.group)];
  const InputBlock& input = group.inputs[static_cast<std::size_t>(task.block)];
  if (task.job < 0) {
    project_scalars(group, input);
    next_row_ = input.rows;
  } else {
    const std::int64_t rows = next_rows();
    multiply_block(task, input.first_row + next_row_, rows);
    next_row_ += rows;
  }
  if (next_row_ == input.rows) finish_block(task);
}

// The strip has met its part of the tokens: free what nobody needs any more.
void Projections::finish_block(const Task& task) {
  Group& group = groups_[static_cast<std::size_t>(task.group)];
  ScratchpadAllocator& memory = workspace_.emit().memory();
  const bool last_of_group = current_ == group.last_task;
  const bool last_of_block = last_of_group || tasks_[current_ + 1].block != task.block;
  if (last_of_block) {
    memory.release(group.inputs[static_cast<std::size_t>(task.block)].buffer);
    ++group.inputs_done;
  }
  if (last_of_group) {
    group.sums.release(memory);
    group.codes.release(memory);
    for (Buffer& vector : group.vectors) memory.release(vector);
    Home& home = workspace_.home(group.x);
    if (home.place == Place::kRows && !home.buffers.empty()) memory.release(home.buffers[0]);
  }
  ++current_;
  next_row_ = 0;
}

}  // namespace quadrille::hw
