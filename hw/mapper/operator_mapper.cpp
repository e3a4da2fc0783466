// Mappings of single operators: what `quadrille eval --level systemc` runs.
#include <algorithm>

#include "hw/mapper/lowering.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

void attend(Workbench& bench, const View& scores, const View& values, int tokens, int width,
            const model::DamfSettings& settings, const model::PowerRule& rule) {
  const Buffer out = bench.scratchpad.matrix(tokens, std::int64_t{width} * 4, "out");
  DamfAttend operation;
  operation.scores = scores.address;
  operation.values = values.address;
  operation.value_pitch_bytes = values.pitch_bytes;
  operation.destination = out.address;
  operation.destination_pitch_bytes = out.pitch_bytes;
  operation.tokens = tokens;
  operation.width = width;
  operation.settings = settings;
  operation.rule = rule;
  std::vector<Storage> reads = scores.storages;
  reads.insert(reads.end(), values.storages.begin(), values.storages.end());
  bench.builder.add(operation, Phase::kWeightedValues, 0, reads, {out.storage});
  bench.store(out, bench.dram.at("out"), 0, tokens, 0, width);
}

}  // namespace

Mapping map_softmax(const ChipConfig& config, const model::SoftmaxShape& shape,
                    const model::Multiplier& exponent, bool weights_wanted) {
  check_cim_bits(config, 8, 8);
  Workbench bench(config);
  bench.dram.place("Q", shape.queries, shape.width, 1, false);
  bench.dram.place("K", shape.keys, shape.width, 1, false);
  bench.dram.place("V", shape.keys, shape.value_width, 1, false);
  if (weights_wanted) bench.dram.place("weights", shape.queries, shape.keys, 4, true);
  bench.dram.place("out", shape.queries, shape.value_width, 4, true);
  bench.builder.begin_layer("softmax");
  const View q = view_of(bench.load(bench.dram.at("Q"), Phase::kLoadInput));
  const View k = view_of(bench.load(bench.dram.at("K"), Phase::kLoadInput));
  const View v = view_of(bench.load(bench.dram.at("V"), Phase::kLoadInput));
  // Room for what the consumer below normalises a block into.
  const std::int64_t spare = bench.scratchpad.free_bytes() / 3;
  const std::int64_t row_bytes =
      std::max(weights_wanted ? bench.scratchpad.matrix_bytes(1, std::int64_t{shape.keys} * 4) : 0,
               bench.scratchpad.matrix_bytes(1, std::int64_t{shape.value_width} * 4));
  const std::int64_t normal_rows =
      std::clamp<std::int64_t>(spare / 2 / row_bytes, 1, shape.queries);
  Rotation<Buffer> normal = bench.scratchpad.matrices(2, normal_rows, row_bytes, "normalised rows");
  SoftmaxHeads heads(bench, {0, config.cim.macros, shape}, exponent);
  heads.add(0, q, k, v);
  const auto normalise = [&](const SoftmaxHeads::Block& block, const Buffer& from,
                             VectorSource source, int columns, int fraction_bits,
                             const std::string& name) {
    for (std::int64_t row = 0; row < block.rows; row += normal_rows) {
      const Buffer to = normal.next();
      VectorRequantise operation;
      operation.source = from.address + static_cast<std::uint64_t>(row * from.pitch_bytes);
      operation.source_pitch_bytes = from.pitch_bytes;
      operation.destination = to.address;
      operation.destination_pitch_bytes = to.pitch_bytes;
      operation.reciprocals = block.reciprocals.address + static_cast<std::uint64_t>(row) * 4;
      operation.rows = static_cast<int>(std::min(normal_rows, block.rows - row));
      operation.columns = columns;
      operation.from = source;
      operation.to = VectorResult::kSums32;
      operation.normalise = true;
      operation.fraction_bits = fraction_bits;
      bench.builder.add(operation, Phase::kRequantise, 0, {from.storage, block.reciprocals.storage},
                        {to.storage});
      bench.store(to, bench.dram.at(name), block.first_row + row, operation.rows, 0, columns);
    }
  };
  heads.run([&](const SoftmaxHeads::Block& block) {
    if (weights_wanted) {
      normalise(block, block.codes, VectorSource::kCodes8, shape.keys, model::kWeightFractionBits,
                "weights");
    }
    normalise(block, block.sums, VectorSource::kSums32, shape.value_width,
              model::kSoftmaxOutputFractionBits, "out");
  });
  return bench.finish();
}

Mapping map_damf_attend(const ChipConfig& config, int tokens, int width,
                        const model::DamfSettings& settings, const model::PowerRule& rule) {
  check_damf_limits(config, tokens, 1, width);
  Workbench bench(config);
  bench.dram.place("st", 1, std::int64_t{tokens} * 2, 1, false);
  bench.dram.place("V", tokens, width, 1, false);
  bench.dram.place("out", tokens, width, 4, true);
  bench.builder.begin_layer("damf");
  const View scores = view_of(bench.load(bench.dram.at("st"), Phase::kLoadInput));
  const View values = view_of(bench.load(bench.dram.at("V"), Phase::kLoadInput));
  attend(bench, scores, values, tokens, width, settings, rule);
  return bench.finish();
}

Mapping map_damf(const ChipConfig& config, const DamfProblem& problem) {
  check_damf_limits(config, problem.tokens, problem.model_width, problem.width);
  check_cim_bits(config, 8, 8);
  Workbench bench(config);
  bench.dram.place("X", problem.tokens, problem.model_width, 1, false);
  bench.dram.place("u", 1, problem.model_width, 1, false);
  bench.dram.place("v", 1, problem.model_width, 1, false);
  bench.dram.place("WV", problem.model_width, problem.width, 1, false);
  bench.dram.place("st", 1, std::int64_t{problem.tokens} * 2, 1, true);
  bench.dram.place("out", problem.tokens, problem.width, 4, true);
  bench.builder.begin_layer("damf");
  const Buffer x = bench.load(bench.dram.at("X"), Phase::kLoadInput);
  const Buffer u = bench.load(bench.dram.at("u"), Phase::kLoadWeights);
  const Buffer v = bench.load(bench.dram.at("v"), Phase::kLoadWeights);
  const Buffer scores = bench.scratchpad.matrix(1, std::int64_t{problem.tokens} * 2, "s and t");
  DamfProject project;
  project.u = u.address;
  project.v = v.address;
  project.source = x.address;
  project.source_pitch_bytes = x.pitch_bytes;
  project.destination = scores.address;
  project.tokens = problem.tokens;
  project.width = problem.model_width;
  project.s_multiplier = problem.s_factor;
  project.t_multiplier = problem.t_factor;
  bench.builder.add(project, Phase::kScoreInner, 0, {x.storage, u.storage, v.storage},
                    {scores.storage});
  bench.store(scores, bench.dram.at("st"), 0, 1, 0, std::int64_t{problem.tokens} * 2);
  const Buffer values = bench.scratchpad.matrix(problem.tokens, problem.width, "V");
  StaticProducts products(
      bench, {0, config.cim.macros, problem.tokens, problem.model_width, problem.width, 1});
  products.add(
      bench.dram.at("WV"), problem.model_width, problem.width, view_of(x), Phase::kProjection,
      [&](const Strip& strip, std::int64_t first_row, std::int64_t rows, const Buffer& sums) {
        VectorRequantise operation;
        operation.source = sums.address;
        operation.source_pitch_bytes = sums.pitch_bytes;
        operation.destination = values.address +
                                static_cast<std::uint64_t>(first_row * values.pitch_bytes) +
                                static_cast<std::uint64_t>(strip.first_column);
        operation.destination_pitch_bytes = values.pitch_bytes;
        operation.rows = static_cast<int>(rows);
        operation.columns = strip.columns;
        operation.multiplier = problem.v_factor;
        bench.builder.add(operation, Phase::kRequantise, 0, {sums.storage}, {values.storage});
      });
  products.run();
  attend(bench, view_of(scores), view_of(values), problem.tokens, problem.width, problem.settings,
         problem.rule);
  return bench.finish();
}

Mapping map_matmul(const ChipConfig& config, int tokens, int k, int n, int input_bits,
                   int weight_bits) {
  check_cim_bits(config, input_bits, weight_bits);
  Workbench bench(config);
  bench.dram.place("X", tokens, k, 1, false);
  bench.dram.place("W", k, n, 1, false);
  bench.dram.place("out", tokens, n, 4, true);
  bench.builder.begin_layer("matmul");
  const View x = view_of(bench.load(bench.dram.at("X"), Phase::kLoadInput));
  StaticProducts products(bench, {0, config.cim.macros, tokens, k, n, 1});
  products.add(
      bench.dram.at("W"), k, n, x, Phase::kProjection,
      [&](const Strip& strip, std::int64_t first_row, std::int64_t rows, const Buffer& sums) {
        bench.store(sums, bench.dram.at("out"), first_row, rows, strip.first_column, strip.columns);
      },
      weight_bits, input_bits);
  products.run();
  return bench.finish();
}

}  // namespace quadrille::hw
