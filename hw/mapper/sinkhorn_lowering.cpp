#include "hw/mapper/sinkhorn_lowering.h"

#include <algorithm>

#include "model/errors.h"

namespace quadrille::hw {

void check_sinkhorn_lines(const ChipConfig& config, int lines) {
  if (lines <= config.sinkhorn.max_lines) return;
  const std::string found = ", found " + std::to_string(lines);
  throw InputError(config.source(), "sinkhorn.max_lines",
                   lines > kSinkhornMostLines
                       ? "expected matrices of at most " + std::to_string(kSinkhornMostLines) +
                             " rows and columns on any chip" + found
                       : "expected at least as many lines as the matrix has" + found);
}

SinkhornScale sinkhorn_scale_command(const SinkhornProblem& problem) {
  const model::SinkhornInteger& integer = problem.integer;
  const model::SinkhornSettings& settings = integer.settings;
  SinkhornScale operation;
  operation.element_bytes = problem.score_width > 0 ? 4 : problem.element_bytes;
  operation.rows = integer.shape.rows;
  operation.columns = integer.shape.columns;
  operation.causal = integer.shape.causal;
  operation.warm = problem.warm_columns || problem.warm_rows;
  operation.factor = integer.factor;
  operation.logit_fraction_bits = integer.fraction_bits;
  operation.form = settings.form;
  operation.update = settings.update;
  operation.half_steps = settings.half_steps;
  operation.stop = settings.tolerance > 0.0;
  operation.tolerance_code = integer.tolerance_code;
  if (operation.stop && problem.assumed_half_steps > 0) {
    operation.stop = false;
    operation.verify = problem.assumed_half_steps < settings.half_steps;
    operation.half_steps = std::min(problem.assumed_half_steps, settings.half_steps);
  }
  operation.column_target = model::sinkhorn_column_target(integer.shape);
  operation.column_target_inverse =
      model::make_multiplier(static_cast<double>(integer.shape.columns) / integer.shape.rows);
  return operation;
}

SinkhornApply sinkhorn_apply_command(const SinkhornProblem& problem) {
  const model::SinkhornInteger& integer = problem.integer;
  SinkhornApply operation;
  operation.element_bytes = problem.score_width > 0 ? 4 : problem.element_bytes;
  operation.columns = integer.shape.columns;
  operation.causal = integer.shape.causal;
  operation.factor = integer.factor;
  operation.logit_fraction_bits = integer.fraction_bits;
  operation.value_bytes = problem.value_bytes;
  operation.value_width = problem.value_width;
  return operation;
}

// --- scores --------------------------------------------------------------------

int ScoreProducts::wanted_macros(const CimConfig& config, int keys, int width) {
  return 2 * region_for(config, 0, width, keys).macros();
}

ScoreProducts::ScoreProducts(Workbench& bench, const Limits& limits)
    : bench_(bench), limits_(limits) {
  const CimConfig& cim = bench.config.cim;
  check_sum_terms(bench.config, limits.width);
  const int tiles = static_cast<int>(divide_up(limits.width, cim.rows));
  if (tiles > limits.macros) {
    throw InputError(bench.config.source(), "cim.macros",
                     "expected at least " + std::to_string(tiles) +
                         " free macros for keys of width " + std::to_string(limits.width) +
                         ", found " + std::to_string(limits.macros));
  }
  const int whole = region_for(cim, 0, limits.width, limits.shape.columns).macros();
  const int per_slot =
      whole <= limits.macros ? whole : std::max(1, limits.macros / 2 / tiles) * tiles;
  slots_ = macro_slots(bench.builder, limits.first_macro, limits.macros, per_slot);
  strips_ = strips_of(limits.shape.columns, per_slot / tiles * cim.columns);
  bench.choices.push_back("K in " + std::to_string(slots_.size()) + " x " +
                          std::to_string(per_slot) + " macros, " + std::to_string(strips_.size()) +
                          " strips");
}

void ScoreProducts::emit(int head, const View& q, const View& k, const Buffer& scores) {
  for (const Strip& strip : strips_) emit_strip(head, q, k, scores, strip);
}

void ScoreProducts::emit_strip(int head, const View& q, const View& k, const Buffer& scores,
                               const Strip& strip) {
  const MacroSlot& slot = slots_.next();
  const CimRegion region =
      region_for(bench_.config.cim, slot.first_macro, limits_.width, strip.columns);
  const View keys = k.rows_from(strip.first_column);
  CimWrite write;
  write.source = keys.address;
  write.source_pitch_bytes = keys.pitch_bytes;
  write.rows = limits_.width;
  write.columns = strip.columns;
  write.transpose = true;
  write.dynamic = true;
  write.region = region;
  bench_.builder.add(write, Phase::kWriteDynamic, head, keys.storages, {slot.storage});
  CimMultiply multiply;
  multiply.source = q.address;
  multiply.source_pitch_bytes = q.pitch_bytes;
  multiply.destination = scores.address + static_cast<std::uint64_t>(strip.first_column) * 4;
  multiply.destination_pitch_bytes = scores.pitch_bytes;
  multiply.tokens = limits_.shape.rows;
  multiply.rows = limits_.width;
  multiply.columns = strip.columns;
  multiply.dynamic = true;
  multiply.causal_columns = limits_.shape.causal;
  multiply.first_token = -strip.first_column;
  multiply.region = region;
  std::vector<Storage> reads = q.storages;
  reads.push_back(slot.storage);
  bench_.builder.add(multiply, Phase::kScores, head, reads, {scores.storage});
}

// --- heads of a layer ----------------------------------------------------------

SinkhornHeads::SinkhornHeads(Workbench& bench, const ScoreProducts::Limits& limits,
                             const model::SinkhornInteger& integer)
    : bench_(bench), products_(bench, limits) {
  problem_.integer = integer;
  problem_.score_width = limits.width;
  problem_.kernel_wanted = false;
  problem_.value_width = limits.width;
  problem_.value_bytes = 1;
  const std::int64_t tokens = limits.shape.rows;
  check_sinkhorn_lines(bench.config, limits.shape.rows);
  std::vector<Scratch> scratch;
  for (int i = 0; i < 2; ++i) {
    ScratchpadPlan& plan = bench.scratchpad;
    Scratch one;
    one.scores = plan.matrix(tokens, 4 * tokens, "a head's scores");
    one.rows = plan.matrix(1, 4 * tokens, "row scalings");
    one.columns = plan.matrix(1, 4 * tokens, "column scalings");
    one.counts = plan.matrix(1, 4, "the half-step count");
    one.sums = plan.matrix(tokens, std::int64_t{4} * limits.width, "a head's weighted values");
    scratch.push_back(one);
  }
  scratch_ = Rotation<Scratch>(std::move(scratch));
}

void SinkhornHeads::scores(Head& head) {
  head.scratch = scratch_.next();
  products_.emit(head.index, head.q, head.k, head.scratch.scores);
}

void SinkhornHeads::finish(Head& head, const Consumer& consumer) {
  const Scratch& scratch = head.scratch;
  SinkhornScale scale = sinkhorn_scale_command(problem_);
  scale.source = scratch.scores.address;
  scale.source_pitch_bytes = scratch.scores.pitch_bytes;
  scale.matrix_stride_bytes = scale.rows * scratch.scores.pitch_bytes;
  scale.row_scalings = scratch.rows.address;
  scale.column_scalings = scratch.columns.address;
  scale.counts = scratch.counts.address;
  bench_.builder.add(scale, Phase::kNormalise, head.index, {scratch.scores.storage},
                     {scratch.rows.storage, scratch.columns.storage, scratch.counts.storage});
  SinkhornApply apply = sinkhorn_apply_command(problem_);
  apply.source = scratch.scores.address;
  apply.source_pitch_bytes = scratch.scores.pitch_bytes;
  apply.row_scalings = scratch.rows.address;
  apply.column_scalings = scratch.columns.address;
  apply.values = head.v.address;
  apply.value_pitch_bytes = head.v.pitch_bytes;
  apply.destination = scratch.sums.address;
  apply.destination_pitch_bytes = scratch.sums.pitch_bytes;
  apply.rows = scale.rows;
  std::vector<Storage> reads = head.v.storages;
  reads.insert(reads.end(),
               {scratch.scores.storage, scratch.rows.storage, scratch.columns.storage});
  bench_.builder.add(apply, Phase::kWeightedValues, head.index, reads, {scratch.sums.storage});
  consumer(head.index, scratch.sums);
}

void SinkhornHeads::run(const Consumer& consumer) {
  if (!heads_.empty()) scores(heads_.front());
  for (std::size_t i = 0; i < heads_.size(); ++i) {
    if (i + 1 < heads_.size()) scores(heads_[i + 1]);
    finish(heads_[i], consumer);
  }
}

}  // namespace quadrille::hw
