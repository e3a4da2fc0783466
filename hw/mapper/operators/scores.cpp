#include "hw/mapper/operators/scores.h"

#include <algorithm>

namespace quadrille::hw {

std::vector<Strip> aligned_strips(std::int64_t columns, std::int64_t most, std::int64_t granule) {
  std::int64_t step = columns;
  if (columns > most) {
    if (most >= granule) {
      most -= most % granule;
      step = round_up(divide_up(columns, divide_up(columns, most)), granule);
    } else {
      while ((most & (most - 1)) != 0) most &= most - 1;
      step = most;
    }
  }
  std::vector<Strip> strips;
  for (std::int64_t first = 0; first < columns; first += step)
    strips.push_back({first, std::min(step, columns - first)});
  return strips;
}

int DynamicMatrix::macros_of(const CimConfig& cim, std::int64_t rows, std::int64_t columns) {
  return static_cast<int>(divide_up(rows, cim.rows) * divide_up(columns, cim.columns));
}

CimRegion DynamicMatrix::region(const CimConfig& cim, std::size_t index, std::int64_t used) const {
  CimRegion region;
  region.first_macro = first_macro + turn * slot_macros;
  if (whole) {
    for (std::size_t i = 0; i < index; ++i)
      region.first_macro += macros_of(cim, rows, strips[i].columns);
  }
  region.row_tiles = static_cast<int>(divide_up(used, cim.rows));
  region.column_tiles = static_cast<int>(divide_up(strips[index].columns, cim.columns));
  return region;
}

std::int64_t sums_of_beat(const ChipConfig& config) {
  return config.cim.output_bytes_per_cycle / 4;
}

namespace {

Grid grid_of(int instances, int per_batch, bool in_columns, const model::Tensor& tensor) {
  Grid grid;
  grid.instances = instances;
  grid.per_batch = per_batch;
  grid.in_columns = in_columns;
  grid.rows = tensor.rows / (in_columns ? instances / per_batch : instances);
  grid.columns = tensor.columns / (in_columns ? per_batch : 1);
  return grid;
}

std::vector<Strip> key_strips(const ChipConfig& config, std::int64_t keys, int groups,
                              std::int64_t most) {
  const std::int64_t group =
      groups == 1 ? keys : std::max<std::int64_t>(divide_up(keys, groups), config.cim.columns);
  return aligned_strips(keys, std::min(most, round_up(group, sums_of_beat(config))),
                        sums_of_beat(config));
}

}  // namespace

Grid query_grid(const model::Heads& heads, const model::Tensor& tensor) {
  return grid_of(heads.instances(), heads.heads, heads.in_columns, tensor);
}

Grid key_grid(const model::Heads& heads, const model::Tensor& tensor) {
  return grid_of(heads.key_instances(), heads.key_heads, heads.in_columns, tensor);
}

int Scores::macros_of(const ChipConfig& config, std::int64_t width, std::int64_t keys,
                      int key_groups) {
  int macros = 0;
  for (const Strip& strip : key_strips(config, keys, key_groups, keys))
    macros += DynamicMatrix::macros_of(config.cim, width, strip.columns);
  return macros;
}

Scores::Scores(Workspace& workspace, int node, const Operands& operands, int key_groups, int copies,
               const MacroRange& macros)
    : workspace_(workspace), node_(node), operands_(operands) {
  const ChipConfig& config = workspace.config();
  const CimConfig& cim = config.cim;
  keys_ = workspace.home(operands.k).grid->rows;
  matrix_.rows = workspace.home(operands.k).grid->columns;
  matrix_.first_macro = macros.first;
  const std::int64_t tiles = divide_up(matrix_.rows, cim.rows);
  if (copies > 0) {
    matrix_.strips = key_strips(config, keys_, key_groups, keys_);
    matrix_.slot_macros = macros_of(config, matrix_.rows, keys_, key_groups);
    matrix_.slots = copies;
    return;
  }
  if (tiles > macros.count)
    throw DoesNotFit{node, "keys", tiles, macros.count, DoesNotFit::Resource::kMacros};
  // Two slots where they find room, so that the next strip is written meanwhile.
  const std::int64_t at_once = std::max<std::int64_t>(1, macros.count / (2 * tiles));
  matrix_.whole = false;
  matrix_.strips = key_strips(config, keys_, key_groups, at_once * cim.columns);
  for (const Strip& strip : matrix_.strips)
    matrix_.slot_macros =
        std::max(matrix_.slot_macros, DynamicMatrix::macros_of(cim, matrix_.rows, strip.columns));
  matrix_.slots = std::max(1, std::min(2, macros.count / matrix_.slot_macros));
}

void Scores::carve(Arena& arena, std::int64_t block_rows) {
  if (workspace_.fetched(operands_.q)) queries_ = Rotation(arena.take(2, block_rows, matrix_.rows));
  if (!workspace_.fetched(operands_.k)) return;
  std::int64_t widest = 0;
  for (const Strip& strip : matrix_.strips) widest = std::max(widest, strip.columns);
  strips_ = Rotation(arena.take(2, widest, matrix_.rows));
}

bool Scores::ready(int instance) {
  const int key = operands_.heads.key_instance(instance);
  return workspace_.complete(operands_.q, instance) && workspace_.complete(operands_.k, key) &&
         workspace_.can_hold(operands_.q, instance) && workspace_.can_hold(operands_.k, key);
}

std::int64_t Scores::starts_at(int instance) {
  return std::max({workspace_.emit().free_at(Unit::kCimCompute),
                   workspace_.ready_at(operands_.q, instance),
                   workspace_.ready_at(operands_.k, operands_.heads.key_instance(instance))});
}

void Scores::write(int instance, std::size_t index) {
  const Strip& strip = matrix_.strips[index];
  Emitter& emit = workspace_.emit();
  emit.enter(node_, "load_input", instance);
  const View keys = workspace_.read(operands_.k, operands_.heads.key_instance(instance),
                                    {strip.first, strip.columns, 0, matrix_.rows}, strips_);
  CimWrite operation;
  operation.source = keys.address;
  operation.source_pitch_bytes = keys.pitch_bytes;
  operation.rows = static_cast<int>(matrix_.rows);
  operation.columns = static_cast<int>(strip.columns);
  operation.transpose = true;
  operation.dynamic = true;
  operation.region = matrix_.region(workspace_.config().cim, index, matrix_.rows);
  emit.enter(node_, "write_dynamic", instance);
  emit.add(operation);
}

void Scores::emit(int instance, std::int64_t row, std::int64_t rows, std::int64_t keys,
                  const View& scores) {
  Emitter& emit = workspace_.emit();
  const int key = operands_.heads.key_instance(instance);
  if (matrix_.whole && held_ != key) {
    matrix_.next_slot();
    held_ = key;
    strips_held_ = 0;
  }
  emit.enter(node_, "load_input", instance);
  const View queries =
      workspace_.read(operands_.q, instance, {row, rows, 0, matrix_.rows}, queries_);
  for (std::size_t i = 0; i < matrix_.strips.size() && matrix_.strips[i].first < keys; ++i) {
    const Strip& strip = matrix_.strips[i];
    if (!matrix_.whole) {
      matrix_.next_slot();
      write(instance, i);
    } else if (i >= strips_held_) {
      write(instance, i);
      strips_held_ = i + 1;
    }
    CimMultiply operation;
    operation.source = queries.address;
    operation.source_pitch_bytes = queries.pitch_bytes;
    operation.destination = scores.address + static_cast<std::uint64_t>(4 * strip.first);
    operation.destination_pitch_bytes = scores.pitch_bytes;
    operation.tokens = static_cast<int>(rows);
    operation.rows = static_cast<int>(matrix_.rows);
    operation.columns = static_cast<int>(strip.columns);
    operation.dynamic = true;
    operation.causal_columns = operands_.causal;
    operation.first_token = static_cast<int>(row + operands_.offset - strip.first);
    operation.region = matrix_.region(workspace_.config().cim, i, matrix_.rows);
    emit.enter(node_, "scores", instance);
    emit.add(operation);
  }
}

void Scores::done(int instance) {
  workspace_.done(operands_.q, instance);
  workspace_.done(operands_.k, operands_.heads.key_instance(instance));
}

}  // namespace quadrille::hw
