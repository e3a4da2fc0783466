#include "hw/mapper/lowering.h"

#include <algorithm>

#include "hw/engines/cim/exact_product.h"
#include "model/errors.h"

namespace quadrille::hw {

View View::rows_from(std::int64_t row) const {
  View view = *this;
  view.address += static_cast<std::uint64_t>(row * pitch_bytes);
  return view;
}

View view_of(const Buffer& buffer) {
  return {buffer.address, buffer.pitch_bytes, {buffer.storage}};
}

void check_cim_bits(const ChipConfig& config, int input_bits, int weight_bits) {
  if (weight_bits > config.cim.weight_bits) {
    throw InputError(config.source(), "cim.weight_bits",
                     "expected at least " + std::to_string(weight_bits));
  }
  if (input_bits > config.cim.input_bits) {
    throw InputError(config.source(), "cim.input_bits",
                     "expected at least " + std::to_string(input_bits));
  }
}

void check_sum_terms(const ChipConfig& config, int terms) {
  if (terms <= ExactProduct::kMaxTerms) return;
  throw InputError(config.source(), "cim",
                   "expected products of at most " + std::to_string(ExactProduct::kMaxTerms) +
                       " terms, which 32-bit sums hold, found " + std::to_string(terms));
}

void check_damf_limits(const ChipConfig& config, int tokens, int model_width, int head_width) {
  if (std::max({tokens, model_width, head_width}) > kDamfLargestCount) {
    throw InputError(config.source(), "damf",
                     "expected at most " + std::to_string(kDamfLargestCount) +
                         " tokens, elements of a token and columns of V, which a command holds, "
                         "found " +
                         std::to_string(tokens) + ", " + std::to_string(model_width) + " and " +
                         std::to_string(head_width));
  }
  if (tokens > config.damf.max_tokens) {
    throw InputError(config.source(), "damf.max_tokens",
                     "expected at least " + std::to_string(tokens));
  }
  if (model_width > config.damf.max_model_width) {
    throw InputError(config.source(), "damf.max_model_width",
                     "expected at least " + std::to_string(model_width));
  }
}

Buffer Workbench::load(const DramTensor& tensor, Phase phase) {
  const std::int64_t row_bytes = tensor.row_elements * tensor.element_bytes;
  const Buffer buffer = scratchpad.matrix(tensor.rows, row_bytes, "tensor " + tensor.name);
  builder.add(DmaCopy{true, tensor.address, tensor.pitch_bytes, buffer.address, buffer.pitch_bytes,
                      tensor.rows, row_bytes},
              phase, -1, {}, {buffer.storage});
  return buffer;
}

void Workbench::store(const Buffer& from, const DramTensor& to, std::int64_t first_row,
                      std::int64_t rows, std::int64_t first_element, std::int64_t elements) {
  const std::uint64_t address =
      to.address +
      static_cast<std::uint64_t>(first_row * to.pitch_bytes + first_element * to.element_bytes);
  builder.add(DmaCopy{false, address, to.pitch_bytes, from.address, from.pitch_bytes, rows,
                      elements * to.element_bytes},
              Phase::kStoreOutput, -1, {from.storage}, {});
}

Mapping Workbench::finish() {
  Mapping mapping;
  mapping.program = builder.take();
  mapping.tensors = dram.take();
  mapping.choices = std::move(choices);
  mapping.scratchpad_bytes = scratchpad.used_bytes();
  return mapping;
}

// --- static products ---------------------------------------------------------

StaticProducts::StaticProducts(Workbench& bench, const Limits& limits)
    : bench_(bench), limits_(limits) {
  const CimConfig& cim = bench.config.cim;
  check_sum_terms(bench.config, limits.widest_rows);
  const std::int64_t row_tiles = divide_up(limits.widest_rows, cim.rows);
  if (limits.macros < row_tiles) {
    throw InputError(bench.config.source(), "cim.macros",
                     "expected at least " + std::to_string(row_tiles) +
                         " free macros for a matrix of " + std::to_string(limits.widest_rows) +
                         " rows, found " + std::to_string(limits.macros));
  }
  // A strip: at most a third of the macros (so that the next is written while
  // one computes and one drains), four column tiles, and two staging buffers
  // in two fifths of the scratchpad that is left.
  const std::int64_t granule = round_up(limits.column_granule, cim.columns);
  const std::int64_t all_columns = round_up(limits.widest_columns, granule);
  const std::int64_t free = bench.scratchpad.free_bytes();
  std::int64_t columns = std::min<std::int64_t>(all_columns, round_up(4 * cim.columns, granule));
  const auto fits = [&](std::int64_t width) {
    const std::int64_t slot = row_tiles * divide_up(width, cim.columns);
    return slot <= std::max<std::int64_t>(row_tiles, limits.macros / 3) &&
           2 * bench.scratchpad.matrix_bytes(limits.widest_rows, width) <= free * 2 / 5;
  };
  while (columns > granule && !fits(columns)) columns -= granule;
  if (columns > cim.columns && !fits(columns) && limits.column_granule <= cim.columns)
    columns = cim.columns;
  strip_columns_ = static_cast<int>(columns);
  const std::int64_t slot_macros = row_tiles * divide_up(columns, cim.columns);
  if (slot_macros > limits.macros) {
    throw InputError(bench.config.source(), "cim.macros",
                     "expected at least " + std::to_string(slot_macros) +
                         " macros for one head's columns, found " + std::to_string(limits.macros));
  }
  const std::int64_t token_bytes = bench.scratchpad.matrix_bytes(1, columns * 4);
  block_tokens_ = std::clamp<std::int64_t>(free * 3 / 10 / (2 * token_bytes), 1,
                                           std::min<std::int64_t>(limits.tokens, kCimMostTokens));
  staging_ = bench.scratchpad.matrices(2, limits.widest_rows, columns, "two strips of weights");
  sums_ = bench.scratchpad.matrices(2, block_tokens_, columns * 4, "two blocks of 32-bit sums");
  slots_ =
      macro_slots(bench.builder, limits.first_macro, limits.macros, static_cast<int>(slot_macros));
  bench.choices.push_back("static matrices: strips of " + std::to_string(columns) + " columns, " +
                          std::to_string(slots_.size()) + " slots of " +
                          std::to_string(slot_macros) + " macros, blocks of " +
                          std::to_string(block_tokens_) + " tokens");
}

void StaticProducts::add(const DramTensor& weights, int k, int n, const View& x, Phase phase,
                         SumsConsumer consumer, int weight_bits, int input_bits) {
  for (const Strip& strip : strips_of(n, strip_columns_)) {
    tasks_.push_back(
        {weights, k, strip, x, phase, consumer, weight_bits, input_bits, Buffer{}, MacroSlot{}});
  }
}

void StaticProducts::load(std::size_t index) {
  if (index < loaded_ || index >= tasks_.size()) return;
  loaded_ = index + 1;
  Task& task = tasks_[index];
  task.staging = staging_.next();
  bench_.builder.add(
      DmaCopy{true, task.weights.address + static_cast<std::uint64_t>(task.strip.first_column),
              task.weights.pitch_bytes, task.staging.address, task.staging.pitch_bytes, task.k,
              task.strip.columns},
      Phase::kLoadWeights, -1, {}, {task.staging.storage});
}

void StaticProducts::write(std::size_t index) {
  if (index < written_ || index >= tasks_.size()) return;
  load(index);
  written_ = index + 1;
  Task& task = tasks_[index];
  task.slot = slots_.next();
  CimWrite operation;
  operation.source = task.staging.address;
  operation.source_pitch_bytes = task.staging.pitch_bytes;
  operation.rows = task.k;
  operation.columns = task.strip.columns;
  operation.weight_bits = task.weight_bits;
  operation.region =
      region_for(bench_.config.cim, task.slot.first_macro, task.k, task.strip.columns);
  bench_.builder.add(operation, Phase::kLoadWeights, -1, {task.staging.storage},
                     {task.slot.storage});
}

void StaticProducts::multiply(const Task& task) {
  for (std::int64_t row = 0; row < limits_.tokens; row += block_tokens_) {
    const std::int64_t rows = std::min(block_tokens_, limits_.tokens - row);
    const Buffer sums = sums_.next();
    const View x = task.x.rows_from(row);
    CimMultiply operation;
    operation.source = x.address;
    operation.source_pitch_bytes = x.pitch_bytes;
    operation.destination = sums.address;
    operation.destination_pitch_bytes = sums.pitch_bytes;
    operation.tokens = static_cast<int>(rows);
    operation.rows = task.k;
    operation.columns = task.strip.columns;
    operation.input_bits = task.input_bits;
    operation.weight_bits = task.weight_bits;
    operation.region =
        region_for(bench_.config.cim, task.slot.first_macro, task.k, task.strip.columns);
    std::vector<Storage> reads = x.storages;
    reads.push_back(task.slot.storage);
    bench_.builder.add(operation, task.phase, -1, reads, {sums.storage});
    task.consumer(task.strip, row, rows, sums);
  }
}

void StaticProducts::prefetch() {
  for (std::size_t i = 0; i < staging_.size(); ++i) load(computed_ + i);
}

void StaticProducts::run() {
  for (; computed_ < tasks_.size(); ++computed_) {
    write(computed_);
    load(computed_ + 1);
    // With a single slot the next strip would overwrite this one before its use.
    if (slots_.size() > 1) write(computed_ + 1);
    multiply(tasks_[computed_]);
  }
}

// --- softmax heads -----------------------------------------------------------

namespace {

int macros_of(const CimConfig& cim, int rows, int columns) {
  return region_for(cim, 0, rows, columns).macros();
}

}  // namespace

int SoftmaxHeads::wanted_macros(const CimConfig& config, const model::SoftmaxShape& shape) {
  return 2 * (macros_of(config, shape.width, shape.keys) +
              macros_of(config, shape.keys, shape.value_width));
}

SoftmaxHeads::SoftmaxHeads(Workbench& bench, const Limits& limits,
                           const model::Multiplier& exponent)
    : bench_(bench), shape_(limits.shape), exponent_(exponent) {
  if (shape_.keys > bench.config.softmax.max_keys) {
    throw InputError(bench.config.source(), "softmax.max_keys",
                     "expected at least " + std::to_string(shape_.keys));
  }
  // A score is one sum over a head's width, a row of A' V one over all keys.
  check_sum_terms(bench.config, shape_.width);
  check_sum_terms(bench.config, shape_.keys);
  plan_macros(limits);
  plan_scratch();
}

void SoftmaxHeads::plan_macros(const Limits& limits) {
  const CimConfig& cim = bench_.config.cim;
  const int k_tiles = static_cast<int>(divide_up(shape_.width, cim.rows));
  const int v_tiles = static_cast<int>(divide_up(shape_.keys, cim.rows));
  int k_macros = macros_of(cim, shape_.width, shape_.keys);
  int v_macros = macros_of(cim, shape_.keys, shape_.value_width);
  int copies = 2;
  if (copies * (k_macros + v_macros) > limits.macros) copies = 1;
  if (k_macros + v_macros > limits.macros) {
    // Too few macros for a whole head: strips of columns, rewritten per block.
    k_macros = std::min(k_macros, k_tiles * std::max(1, limits.macros / 2 / k_tiles));
    v_macros = std::min(v_macros, v_tiles * std::max(1, (limits.macros - k_macros) / v_tiles));
    if (k_macros + v_macros > limits.macros) {
      throw InputError(bench_.config.source(), "cim.macros",
                       "expected " + std::to_string(k_tiles + v_tiles) +
                           " macros for the keys and values of one head beside the static "
                           "matrices, found " +
                           std::to_string(limits.macros) + " left of " +
                           std::to_string(cim.macros));
    }
  }
  key_strips_ = strips_of(shape_.keys, k_macros / k_tiles * cim.columns);
  value_strips_ = strips_of(shape_.value_width, v_macros / v_tiles * cim.columns);
  k_slots_ = macro_slots(bench_.builder, limits.first_macro, copies * k_macros, k_macros);
  v_slots_ = macro_slots(bench_.builder, limits.first_macro + copies * k_macros, copies * v_macros,
                         v_macros);
  bench_.choices.push_back("K in " + std::to_string(copies) + " x " + std::to_string(k_macros) +
                           " macros, V in " + std::to_string(copies) + " x " +
                           std::to_string(v_macros) + ", " + std::to_string(key_strips_.size()) +
                           " and " + std::to_string(value_strips_.size()) + " strips");
}

void SoftmaxHeads::plan_scratch() {
  const ScratchpadPlan& plan = bench_.scratchpad;
  const std::int64_t row_bytes = plan.matrix_bytes(1, std::int64_t{shape_.keys} * 4) +
                                 plan.matrix_bytes(1, shape_.keys) + 4 +
                                 plan.matrix_bytes(1, std::int64_t{shape_.value_width} * 4);
  block_rows_ = std::clamp<std::int64_t>(plan.free_bytes() * 9 / 10 / (2 * row_bytes), 1,
                                         std::min<std::int64_t>(shape_.queries, kCimMostTokens));
  std::vector<Scratch> scratch;
  for (int i = 0; i < 2; ++i) {
    scratch.push_back(
        {bench_.scratchpad.matrix(block_rows_, std::int64_t{shape_.keys} * 4, "a block of scores"),
         bench_.scratchpad.matrix(block_rows_, shape_.keys, "a block of weights"),
         bench_.scratchpad.matrix(1, block_rows_ * 4, "reciprocals"),
         bench_.scratchpad.matrix(block_rows_, std::int64_t{shape_.value_width} * 4,
                                  "a block of weighted values")});
  }
  scratch_ = Rotation<Scratch>(std::move(scratch));
  bench_.choices.push_back("softmax: blocks of " + std::to_string(block_rows_) + " queries");
}

void SoftmaxHeads::add(int head, const View& q, const View& k, const View& v) {
  heads_.push_back({head, q, k, v, {}, {}});
}

void SoftmaxHeads::write_keys(Head& head, const Strip& strip, const MacroSlot& slot) {
  const View source = head.k.rows_from(strip.first_column);
  CimWrite operation;
  operation.source = source.address;
  operation.source_pitch_bytes = source.pitch_bytes;
  operation.rows = shape_.width;
  operation.columns = strip.columns;
  operation.transpose = true;
  operation.dynamic = true;
  operation.region = region_for(bench_.config.cim, slot.first_macro, shape_.width, strip.columns);
  bench_.builder.add(operation, Phase::kWriteDynamic, head.index, source.storages, {slot.storage});
}

void SoftmaxHeads::write_values(Head& head, const Strip& strip, const MacroSlot& slot) {
  CimWrite operation;
  operation.source = head.v.address + static_cast<std::uint64_t>(strip.first_column);
  operation.source_pitch_bytes = head.v.pitch_bytes;
  operation.rows = shape_.keys;
  operation.columns = strip.columns;
  operation.dynamic = true;
  operation.region = region_for(bench_.config.cim, slot.first_macro, shape_.keys, strip.columns);
  bench_.builder.add(operation, Phase::kWriteDynamic, head.index, head.v.storages, {slot.storage});
}

void SoftmaxHeads::scores(Item& item) {
  Head& head = heads_[item.head];
  item.scratch = scratch_.next();
  // A whole K stays for all blocks of its head; strips come anew per block.
  const bool first_block = item.first_row == 0;
  if (first_block && key_strips_.size() == 1) {
    head.k_slot = k_slots_.next();
    write_keys(head, key_strips_[0], head.k_slot);
  }
  // With one slot only, V waits until the previous head's A' V is emitted.
  if (first_block && value_strips_.size() == 1 && v_slots_.size() > 1) {
    head.v_slot = v_slots_.next();
    write_values(head, value_strips_[0], head.v_slot);
  }
  const View q = head.q.rows_from(item.first_row);
  for (const Strip& strip : key_strips_) {
    if (key_strips_.size() > 1) {
      head.k_slot = k_slots_.next();
      write_keys(head, strip, head.k_slot);
    }
    CimMultiply operation;
    operation.source = q.address;
    operation.source_pitch_bytes = q.pitch_bytes;
    operation.destination =
        item.scratch.scores.address + static_cast<std::uint64_t>(strip.first_column) * 4;
    operation.destination_pitch_bytes = item.scratch.scores.pitch_bytes;
    operation.tokens = static_cast<int>(item.rows);
    operation.rows = shape_.width;
    operation.columns = strip.columns;
    operation.dynamic = true;
    operation.causal_columns = shape_.causal;
    operation.first_token = static_cast<int>(item.first_row) - strip.first_column;
    operation.region =
        region_for(bench_.config.cim, head.k_slot.first_macro, shape_.width, strip.columns);
    std::vector<Storage> reads = q.storages;
    reads.push_back(head.k_slot.storage);
    bench_.builder.add(operation, Phase::kScores, head.index, reads, {item.scratch.scores.storage});
  }
  SoftmaxRows rows;
  rows.source = item.scratch.scores.address;
  rows.source_pitch_bytes = item.scratch.scores.pitch_bytes;
  rows.destination = item.scratch.codes.address;
  rows.destination_pitch_bytes = item.scratch.codes.pitch_bytes;
  rows.reciprocals = item.scratch.reciprocals.address;
  rows.queries = static_cast<int>(item.rows);
  rows.keys = shape_.keys;
  rows.causal = shape_.causal;
  // From query number `keys` on every row sees all keys.
  rows.first_query =
      shape_.causal ? static_cast<int>(std::min<std::int64_t>(item.first_row, shape_.keys)) : 0;
  rows.factor = exponent_;
  bench_.builder.add(rows, Phase::kNormalise, head.index, {item.scratch.scores.storage},
                     {item.scratch.codes.storage, item.scratch.reciprocals.storage});
}

void SoftmaxHeads::finish(Item& item, const Consumer& consumer) {
  Head& head = heads_[item.head];
  for (const Strip& strip : value_strips_) {
    const bool late = v_slots_.size() == 1 && item.first_row == 0;
    if (value_strips_.size() > 1 || late) {
      head.v_slot = v_slots_.next();
      write_values(head, strip, head.v_slot);
    }
    CimMultiply operation;
    operation.source = item.scratch.codes.address;
    operation.source_pitch_bytes = item.scratch.codes.pitch_bytes;
    operation.destination =
        item.scratch.sums.address + static_cast<std::uint64_t>(strip.first_column) * 4;
    operation.destination_pitch_bytes = item.scratch.sums.pitch_bytes;
    operation.tokens = static_cast<int>(item.rows);
    operation.rows = shape_.keys;
    operation.columns = strip.columns;
    operation.input_signed = false;
    operation.dynamic = true;
    operation.causal_rows = shape_.causal;
    operation.first_token = static_cast<int>(item.first_row);
    operation.region =
        region_for(bench_.config.cim, head.v_slot.first_macro, shape_.keys, strip.columns);
    bench_.builder.add(operation, Phase::kWeightedValues, head.index,
                       {item.scratch.codes.storage, head.v_slot.storage},
                       {item.scratch.sums.storage});
  }
  consumer({head.index, item.first_row, item.rows, item.scratch.codes, item.scratch.reciprocals,
            item.scratch.sums});
}

void SoftmaxHeads::run(const Consumer& consumer) {
  std::vector<Item> items;
  for (std::size_t head = 0; head < heads_.size(); ++head) {
    for (std::int64_t row = 0; row < shape_.queries; row += block_rows_)
      items.push_back({head, row, std::min<std::int64_t>(block_rows_, shape_.queries - row), {}});
  }
  if (!items.empty()) scores(items[0]);
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i + 1 < items.size()) scores(items[i + 1]);
    finish(items[i], consumer);
  }
}

}  // namespace quadrille::hw
