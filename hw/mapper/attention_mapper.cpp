#include <algorithm>

#include "hw/mapper/sinkhorn_lowering.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

// A row-major matrix in the scratchpad whose columns arrive strip by strip:
// one storage per strip, so that a head waits only for its own columns.
class StripedMatrix {
 public:
  StripedMatrix(Workbench& bench, std::int64_t rows, int columns, const std::string& what)
      : bench_(bench), buffer_(bench.scratchpad.matrix(rows, columns, what)) {}

  Storage storage_of(const Strip& strip) {
    for (const Part& part : parts_) {
      if (part.strip.first_column == strip.first_column) return part.storage;
    }
    parts_.push_back({strip, bench_.builder.new_storage()});
    return parts_.back().storage;
  }

  const Buffer& buffer() const { return buffer_; }

  View columns(int first, int count) const {
    View view{buffer_.address + static_cast<std::uint64_t>(first), buffer_.pitch_bytes, {}};
    for (const Part& part : parts_) {
      const bool apart = part.strip.first_column >= first + count ||
                         part.strip.first_column + part.strip.columns <= first;
      if (!apart) view.storages.push_back(part.storage);
    }
    return view;
  }

 private:
  struct Part {
    Strip strip;
    Storage storage;
  };
  Workbench& bench_;
  Buffer buffer_;
  std::vector<Part> parts_;
};

VectorRequantise requantise_block(const Buffer& sums, std::uint64_t destination,
                                  std::int64_t destination_pitch, std::int64_t rows,
                                  std::int64_t columns, const model::Multiplier& factor) {
  VectorRequantise operation;
  operation.source = sums.address;
  operation.source_pitch_bytes = sums.pitch_bytes;
  operation.destination = destination;
  operation.destination_pitch_bytes = destination_pitch;
  operation.rows = static_cast<int>(rows);
  operation.columns = static_cast<int>(columns);
  operation.multiplier = factor;
  return operation;
}

// 32-bit sums to the 8-bit columns of `target`.
SumsConsumer requantise_into(Workbench& bench, StripedMatrix& target,
                             const model::Multiplier& factor) {
  return [&bench, &target, factor](const Strip& strip, std::int64_t first_row, std::int64_t rows,
                                   const Buffer& sums) {
    const Buffer& buffer = target.buffer();
    const std::uint64_t destination = buffer.address +
                                      static_cast<std::uint64_t>(first_row * buffer.pitch_bytes) +
                                      static_cast<std::uint64_t>(strip.first_column);
    bench.builder.add(
        requantise_block(sums, destination, buffer.pitch_bytes, rows, strip.columns, factor),
        Phase::kRequantise, -1, {sums.storage}, {target.storage_of(strip)});
  };
}

SumsConsumer store_into(Workbench& bench, const DramTensor& target) {
  return [&bench, target](const Strip& strip, std::int64_t first_row, std::int64_t rows,
                          const Buffer& sums) {
    bench.store(sums, target, first_row, rows, strip.first_column, strip.columns);
  };
}

// Heads are slices of rows that hold all heads; a slice must not straddle
// scratchpad words.
void check_head_width(const ChipConfig& config, const model::AttentionShape& shape) {
  const int width = shape.head_width;
  const int word = config.scratchpad.word_bytes;
  const bool power_of_two = (width & (width - 1)) == 0;
  if (width % word == 0 || (power_of_two && width < word)) return;
  throw InputError(config.source(), "scratchpad.word_bytes",
                   "expected a head_width that is a power of two up to " + std::to_string(word) +
                       " or a multiple of it, found head_width " + std::to_string(width));
}

void check_linear_width(const ChipConfig& config, int head_width) {
  if (head_width <= config.linear.max_width) return;
  throw InputError(config.source(), "linear.max_width",
                   "expected at least " + std::to_string(head_width));
}

class LayerMapper {
 public:
  LayerMapper(const ChipConfig& config, const model::AttentionInteger& layer)
      : bench_(config), layer_(layer), shape_(layer.shape) {
    check_head_width(config, shape_);
    check_cim_bits(config, 8, 8);
    if (!queries()) check_damf_limits(config, shape_.tokens, shape_.model_width, shape_.head_width);
    if (linear()) check_linear_width(config, shape_.head_width);
  }

  Mapping map() {
    place_tensors();
    bench_.builder.begin_layer("load");
    const Buffer x = bench_.load(bench_.dram.at("X"), Phase::kLoadInput);
    bench_.builder.begin_layer("attention");
    const int inner = shape_.inner_width();
    StripedMatrix q(bench_, queries() ? shape_.tokens : 0, inner, "Q");
    StripedMatrix k(bench_, queries() ? shape_.tokens : 0, inner, "K");
    StripedMatrix v(bench_, shape_.tokens, inner, "V");
    StripedMatrix attention(bench_, shape_.tokens, inner, "the heads' outputs");
    if (!queries()) project_scores(x);
    const int head_macros = macros_for_heads();
    StaticProducts products(bench_, product_limits(bench_.config.cim.macros - head_macros));
    if (queries()) {
      add_projection(products, "WK", x, k, layer_.k_factor);
      add_projection(products, "WQ", x, q, layer_.q_factor);
    }
    add_projection(products, "WV", x, v, layer_.v_factor);
    products.run();
    const auto output = [&] {
      products.add(bench_.dram.at("WO"), inner, shape_.model_width, attention.columns(0, inner),
                   Phase::kOutputProjection, store_into(bench_, bench_.dram.at("out")));
    };
    for (int head = 0; head < shape_.heads; ++head) attention.storage_of(head_strip(head));
    output();
    products.prefetch();
    switch (shape_.mechanism) {
      case model::Mechanism::kSoftmax:
        softmax_heads(q, k, v, attention, head_macros);
        break;
      case model::Mechanism::kDamf:
        damf_heads(v, attention);
        break;
      case model::Mechanism::kSinkhorn:
        sinkhorn_heads(q, k, v, attention, head_macros);
        break;
      case model::Mechanism::kLinear:
        linear_heads(q, k, v, attention);
        break;
    }
    products.run();
    return bench_.finish();
  }

 private:
  bool queries() const { return model::has_queries(shape_.mechanism); }
  bool linear() const { return shape_.mechanism == model::Mechanism::kLinear; }
  Strip head_strip(int head) const { return {head * shape_.head_width, shape_.head_width}; }

  void place_tensors() {
    const int d = shape_.model_width;
    const int inner = shape_.inner_width();
    bench_.dram.place("X", shape_.tokens, d, 1, false);
    if (queries()) {
      bench_.dram.place("WQ", d, inner, 1, false);
      bench_.dram.place("WK", d, inner, 1, false);
    } else {
      bench_.dram.place("u", shape_.heads, d, 1, false);
      bench_.dram.place("v", shape_.heads, d, 1, false);
    }
    bench_.dram.place("WV", d, inner, 1, false);
    bench_.dram.place("WO", inner, d, 1, false);
    bench_.dram.place("out", shape_.tokens, d, 4, true);
    if (linear()) bench_.dram.place("tables", 1, 3 * 256, 1, false);
  }

  model::SoftmaxShape head_shape() const {
    return {shape_.tokens, shape_.tokens, shape_.head_width, shape_.head_width, shape_.causal};
  }

  // Double-buffered K (and V, for softmax) if a quarter of the static matrix still finds
  // room, at most three quarters of the macros.
  int macros_for_heads() const {
    const CimConfig& cim = bench_.config.cim;
    int wanted = 0;
    if (shape_.mechanism == model::Mechanism::kSoftmax) {
      wanted = SoftmaxHeads::wanted_macros(cim, head_shape());
    } else if (shape_.mechanism == model::Mechanism::kSinkhorn) {
      wanted = ScoreProducts::wanted_macros(cim, shape_.tokens, shape_.head_width);
    }
    return std::min(wanted, cim.macros * 3 / 4);
  }

  StaticProducts::Limits product_limits(int macros) const {
    StaticProducts::Limits limits;
    limits.macros = macros;
    limits.tokens = shape_.tokens;
    limits.widest_rows = std::max(shape_.model_width, shape_.inner_width());
    limits.widest_columns = limits.widest_rows;
    return limits;
  }

  void add_projection(StaticProducts& products, const std::string& name, const Buffer& x,
                      StripedMatrix& target, const model::Multiplier& factor) {
    products.add(bench_.dram.at(name), shape_.model_width, shape_.inner_width(), view_of(x),
                 Phase::kProjection, requantise_into(bench_, target, factor));
  }

  void project_scores(const Buffer& x) {
    const Buffer u = bench_.load(bench_.dram.at("u"), Phase::kLoadWeights);
    const Buffer v = bench_.load(bench_.dram.at("v"), Phase::kLoadWeights);
    for (int head = 0; head < shape_.heads; ++head) {
      const auto index = static_cast<std::size_t>(head);
      scores_.push_back(
          bench_.scratchpad.matrix(1, std::int64_t{shape_.tokens} * 2, "a head's s and t"));
      DamfProject operation;
      operation.u = u.address + index * static_cast<std::uint64_t>(u.pitch_bytes);
      operation.v = v.address + index * static_cast<std::uint64_t>(v.pitch_bytes);
      operation.source = x.address;
      operation.source_pitch_bytes = x.pitch_bytes;
      operation.destination = scores_.back().address;
      operation.tokens = shape_.tokens;
      operation.width = shape_.model_width;
      operation.s_multiplier = layer_.s_factor[index];
      operation.t_multiplier = layer_.t_factor[index];
      bench_.builder.add(operation, Phase::kScoreInner, head, {x.storage, u.storage, v.storage},
                         {scores_.back().storage});
    }
  }

  void softmax_heads(const StripedMatrix& q, const StripedMatrix& k, const StripedMatrix& v,
                     StripedMatrix& attention, int macros) {
    SoftmaxHeads heads(bench_, {bench_.config.cim.macros - macros, macros, head_shape()},
                       layer_.exponent);
    for (int head = 0; head < shape_.heads; ++head) {
      const int first = head * shape_.head_width;
      heads.add(head, q.columns(first, shape_.head_width), k.columns(first, shape_.head_width),
                v.columns(first, shape_.head_width));
    }
    heads.run([&](const SoftmaxHeads::Block& block) {
      const Buffer& target = attention.buffer();
      VectorRequantise operation = requantise_block(
          block.sums,
          target.address + static_cast<std::uint64_t>(block.first_row * target.pitch_bytes) +
              static_cast<std::uint64_t>(head_strip(block.head).first_column),
          target.pitch_bytes, block.rows, shape_.head_width, layer_.attention_factor);
      operation.normalise = true;
      operation.reciprocals = block.reciprocals.address;
      operation.fraction_bits = model::kSoftmaxOutputFractionBits;
      bench_.builder.add(operation, Phase::kRequantise, block.head,
                         {block.sums.storage, block.reciprocals.storage},
                         {attention.storage_of(head_strip(block.head))});
    });
  }

  // A head's 32-bit results to 8-bit codes in its columns of `attention`.
  void requantise_head(int head, const Buffer& sums, StripedMatrix& attention) {
    const Buffer& target = attention.buffer();
    const Strip strip = head_strip(head);
    bench_.builder.add(
        requantise_block(sums, target.address + static_cast<std::uint64_t>(strip.first_column),
                         target.pitch_bytes, shape_.tokens, shape_.head_width,
                         layer_.attention_factor),
        Phase::kRequantise, head, {sums.storage}, {attention.storage_of(strip)});
  }

  void sinkhorn_heads(const StripedMatrix& q, const StripedMatrix& k, const StripedMatrix& v,
                      StripedMatrix& attention, int macros) {
    SinkhornHeads heads(
        bench_,
        {bench_.config.cim.macros - macros, macros, layer_.sinkhorn.shape, shape_.head_width},
        layer_.sinkhorn);
    for (int head = 0; head < shape_.heads; ++head) {
      const int first = head * shape_.head_width;
      heads.add(head, q.columns(first, shape_.head_width), k.columns(first, shape_.head_width),
                v.columns(first, shape_.head_width));
    }
    heads.run([&](int head, const Buffer& sums) { requantise_head(head, sums, attention); });
  }

  void linear_heads(const StripedMatrix& q, const StripedMatrix& k, const StripedMatrix& v,
                    StripedMatrix& attention) {
    const Buffer tables = bench_.load(bench_.dram.at("tables"), Phase::kLoadWeights);
    Rotation<Buffer> sums = bench_.scratchpad.matrices(
        2, shape_.tokens, std::int64_t{shape_.head_width} * 4, "two heads' weighted values");
    for (int head = 0; head < shape_.heads; ++head) {
      const int first = head * shape_.head_width;
      const LinearHead operands{q.columns(first, shape_.head_width),
                                k.columns(first, shape_.head_width),
                                v.columns(first, shape_.head_width), tables, sums.next()};
      for (const Strip& group : strips_of(shape_.head_width, bench_.config.linear.lanes)) {
        linear_head(head, operands, group);
      }
      requantise_head(head, operands.out, attention);
    }
  }

  struct LinearHead {
    View q, k, v;
    Buffer tables, out;
  };

  // Causal heads are one command; others have all keys before the first query.
  void linear_head(int head, const LinearHead& operands, const Strip& group) {
    LinearAttend operation;
    operation.causal = shape_.causal;
    operation.reset = true;
    operation.tables = operands.tables.address;
    operation.keys = operands.k.address;
    operation.key_pitch_bytes = operands.k.pitch_bytes;
    operation.values = operands.v.address + static_cast<std::uint64_t>(group.first_column);
    operation.value_pitch_bytes = operands.v.pitch_bytes;
    operation.queries = operands.q.address;
    operation.query_pitch_bytes = operands.q.pitch_bytes;
    operation.destination =
        operands.out.address + 4 * static_cast<std::uint64_t>(group.first_column);
    operation.destination_pitch_bytes = operands.out.pitch_bytes;
    operation.key_tokens = shape_.tokens;
    operation.query_tokens = shape_.tokens;
    operation.total_keys = shape_.tokens;
    operation.width = shape_.head_width;
    operation.value_width = group.columns;
    std::vector<Storage> keys = operands.k.storages;
    keys.insert(keys.end(), operands.v.storages.begin(), operands.v.storages.end());
    keys.push_back(operands.tables.storage);
    std::vector<Storage> queries = operands.q.storages;
    if (shape_.causal) {
      keys.insert(keys.end(), queries.begin(), queries.end());
      bench_.builder.add(operation, Phase::kWeightedValues, head, keys, {operands.out.storage});
      return;
    }
    operation.query_tokens = 0;
    bench_.builder.add(operation, Phase::kWeightedValues, head, keys, {});
    operation.reset = false;
    operation.key_tokens = 0;
    operation.query_tokens = shape_.tokens;
    bench_.builder.add(operation, Phase::kWeightedValues, head, queries, {operands.out.storage});
  }

  void damf_heads(const StripedMatrix& v, StripedMatrix& attention) {
    Rotation<Buffer> sums = bench_.scratchpad.matrices(
        2, shape_.tokens, std::int64_t{shape_.head_width} * 4, "two heads' weighted values");
    for (int head = 0; head < shape_.heads; ++head) {
      const auto index = static_cast<std::size_t>(head);
      const Strip strip = head_strip(head);
      const View values = v.columns(strip.first_column, strip.columns);
      const Buffer out = sums.next();
      DamfAttend operation;
      operation.scores = scores_[index].address;
      operation.values = values.address;
      operation.value_pitch_bytes = values.pitch_bytes;
      operation.destination = out.address;
      operation.destination_pitch_bytes = out.pitch_bytes;
      operation.tokens = shape_.tokens;
      operation.width = shape_.head_width;
      operation.settings = shape_.damf;
      operation.rule = layer_.rules[index];
      std::vector<Storage> reads = values.storages;
      reads.push_back(scores_[index].storage);
      bench_.builder.add(operation, Phase::kWeightedValues, head, reads, {out.storage});
      requantise_head(head, out, attention);
    }
  }

  Workbench bench_;
  const model::AttentionInteger& layer_;
  const model::AttentionShape& shape_;
  std::vector<Buffer> scores_;
};

}  // namespace

Mapping map_attention_layer(const ChipConfig& config, const model::AttentionInteger& layer) {
  return LayerMapper(config, layer).map();
}

}  // namespace quadrille::hw
