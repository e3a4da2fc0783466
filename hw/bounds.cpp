#include "hw/bounds.h"

#include <algorithm>
#include <map>

#include "hw/engines/damf/damf_engine.h"
#include "hw/engines/linear/linear_engine.h"
#include "hw/engines/sinkhorn/sinkhorn_engine.h"
#include "hw/memory/dram_device.h"
#include "model/numerics/integers.h"

namespace quadrille::hw {
namespace {

using model::ceil_div;

/// The instances of an attention: how many, and each one's shape.
struct Shape {
  std::int64_t instances = 1, key_instances = 1;
  std::int64_t queries = 0, keys = 0, width = 0, value_width = 0;
  bool causal = false;
  model::CausalAlign align = model::CausalAlign::kStart;

  std::int64_t visible(std::int64_t query) const {
    if (!causal) return keys;
    const std::int64_t shift = align == model::CausalAlign::kEnd ? keys - queries : 0;
    return std::clamp<std::int64_t>(query + 1 + shift, 0, keys);
  }
  std::int64_t pairs() const {
    std::int64_t sum = 0;
    for (std::int64_t query = 0; query < queries; ++query) sum += visible(query);
    return sum;
  }
};

/// Sums of what the nodes ask of every resource.
class Demand {
 public:
  Demand(const ChipConfig& chip, const model::Graph& graph) : chip_(chip), graph_(graph) {
    for (const model::Tensor& tensor : graph.tensors) {
      if (tensor.role != model::Role::kValue) dram_bytes_ += tensor.rows * tensor.row_bytes();
    }
    for (const model::Node& node : graph.nodes) {
      node_ = &node;
      std::visit(*this, node.op);
    }
  }

  void operator()(const model::Linear& op) {
    const model::Tensor& x = tensor(0);
    const model::Tensor& y = graph_.tensor(node_->output(0));
    macs(x.rows * x.columns * y.columns, op.input_bits);
    write_bytes_ += x.columns * y.columns;
    input_bytes_ += x.rows * x.columns;
    output_bytes_ += 4 * x.rows * y.columns;
  }
  void operator()(const model::DamfProject& op) {
    const model::Tensor& x = tensor(0);
    DamfProject command;
    command.tokens = static_cast<int>(std::min<std::int64_t>(x.rows / op.batch, kDamfLargestCount));
    command.width = static_cast<int>(x.columns);
    const std::int64_t heads = tensor(1).rows;
    engines_["damf"] += op.batch * heads * DamfEngine(chip_.damf).alone_cycles(command);
  }
  void operator()(const model::SoftmaxAttention& op) {
    const Shape shape = shape_of(op.heads, op.causal, op.align, 0, 1, 2);
    scores(shape);
    const std::int64_t pairs = shape.pairs();
    macs(shape.instances * pairs * shape.value_width, chip_.cim.input_bits);
    write_bytes_ += shape.key_instances * shape.keys * shape.value_width;
    input_bytes_ += shape.instances * pairs;
    output_bytes_ += 4 * shape.instances * shape.queries * shape.value_width;
    for (std::int64_t query = 0; query < shape.queries; ++query)
      engines_["softmax"] +=
          shape.instances * (ceil_div<std::int64_t>(shape.visible(query), chip_.softmax.lanes) + 1);
  }
  void operator()(const model::SinkhornAttention& op) {
    const Shape shape = shape_of(op.heads, op.causal, model::CausalAlign::kStart, 0, 1, 2);
    scores(shape);
    sinkhorn(shape.instances, false, shape, op.settings, 4);
    requantised(node_->output(0));
  }
  void operator()(const model::Sinkhorn& op) {
    Shape shape;
    shape.queries = op.shape.rows;
    shape.keys = op.shape.columns;
    shape.causal = op.shape.causal;
    if (node_->input(1) != model::kAbsent) shape.value_width = tensor(1).columns;
    sinkhorn(op.shape.batch, op.shape.batch > 1, shape, op.settings, 2);
    requantised(node_->output(0));
  }
  void operator()(const model::DamfAttention& op) {
    Shape shape;
    shape.instances = op.heads.instances();
    shape.queries = shape.keys = tensor(0).columns / 2;
    shape.value_width = width_of(op.heads.key_heads, op.heads.in_columns, tensor(1));
    shape.causal = op.settings.causal;
    if (op.engine == model::DamfEngineChoice::kLinear) {
      LinearAttend command;
      command.kind = LinearKind::kDamf;
      command.width = 2;
      command.maximum = op.settings.maximum;
      linear(shape, command);
    } else {
      DamfAttend command;
      command.tokens = static_cast<int>(shape.keys);
      command.width = static_cast<int>(shape.value_width);
      command.settings = op.settings;
      engines_["damf"] += shape.instances * DamfEngine(chip_.damf).alone_cycles(command);
    }
    requantised(node_->output(0));
  }
  void operator()(const model::LinearAttention& op) {
    const Shape shape = shape_of(op.heads, op.causal, op.align, 0, 1, 2);
    LinearAttend command;
    command.width = static_cast<int>(shape.width);
    command.sums_wanted = node_->output(1) != model::kAbsent || node_->output(2) != model::kAbsent;
    if (node_->input(3) != model::kAbsent) command.horizon = op.horizon(tensor(3).rows);
    linear(shape, command);
    requantised(node_->output(0));
  }
  template <typename FloatOnly>
  void operator()(const FloatOnly&) {}

  Bounds bounds() const;

 private:
  const model::Tensor& tensor(std::size_t slot) const { return graph_.tensor(node_->input(slot)); }

  static std::int64_t width_of(int heads, bool in_columns, const model::Tensor& tensor) {
    return in_columns ? tensor.columns / heads : tensor.columns;
  }

  Shape shape_of(const model::Heads& heads, bool causal, model::CausalAlign align, std::size_t q,
                 std::size_t k, std::size_t v) const {
    Shape shape;
    shape.instances = heads.instances();
    shape.key_instances = heads.key_instances();
    const auto rows = [&](const model::Tensor& of, std::int64_t instances) {
      return of.rows / (heads.in_columns ? heads.batch : instances);
    };
    shape.queries = rows(tensor(q), shape.instances);
    shape.keys = rows(tensor(k), shape.key_instances);
    shape.width = width_of(heads.heads, heads.in_columns, tensor(q));
    if (node_->input(v) != model::kAbsent)
      shape.value_width = width_of(heads.key_heads, heads.in_columns, tensor(v));
    shape.causal = causal;
    shape.align = align;
    return shape;
  }

  void macs(std::int64_t count, int input_bits) {
    cim_macs_ += count;
    cim_bit_macs_ += count * input_bits;
  }

  /// Q K^T on the CIM bank.
  void scores(const Shape& shape) {
    const std::int64_t pairs = shape.pairs();
    macs(shape.instances * pairs * shape.width, chip_.cim.input_bits);
    write_bytes_ += shape.key_instances * shape.keys * shape.width;
    input_bytes_ += shape.instances * shape.queries * shape.width;
    output_bytes_ += 4 * shape.instances * pairs;
  }

  /// Half-steps over every matrix, then its product with V; `batched`: where they can, all in
  /// one command.
  void sinkhorn(std::int64_t matrices, bool batched, const Shape& shape,
                const model::SinkhornSettings& settings, int element_bytes) {
    const SinkhornEngine engine(chip_.sinkhorn);
    SinkhornScale scale;
    scale.element_bytes = element_bytes;
    scale.rows = static_cast<int>(shape.queries);
    scale.columns = static_cast<int>(shape.keys);
    scale.source_pitch_bytes = std::int64_t{element_bytes} * shape.keys;
    scale.causal = shape.causal;
    scale.form = settings.form;
    scale.update = settings.update;
    scale.half_steps = settings.tolerance > 0.0 ? 1 : settings.half_steps;
    const bool held = settings.form != model::SinkhornForm::kScaling;
    scale.kernel_wanted = held;
    // A matrix beyond the tile memory is a command of its own.
    const bool one_command =
        batched && sinkhorn_resident(chip_.sinkhorn, scale.rows, scale.columns, scale.form);
    scale.batch = one_command ? static_cast<int>(matrices) : 1;
    std::int64_t cycles = engine.alone_cycles(scale, engine.course(scale));
    if (shape.value_width > 0) {
      SinkhornApply apply;
      apply.rows = scale.rows;
      apply.columns = scale.columns;
      apply.from = held ? SinkhornSource::kKernel : SinkhornSource::kElements;
      apply.element_bytes = held ? 4 : element_bytes;
      apply.value_width = static_cast<int>(shape.value_width);
      apply.value_bytes = 1;
      apply.causal = shape.causal;
      cycles += engine.alone_cycles(apply, engine.course(apply));
    }
    engines_["sinkhorn"] += (one_command ? 1 : matrices) * cycles;
  }

  /// Keys and queries of every instance, in groups of as many columns as the engine has lanes.
  void linear(const Shape& shape, LinearAttend command) {
    const LinearEngine engine(chip_.linear);
    const std::int64_t keys = shape.causal ? std::min(shape.keys, shape.queries) : shape.keys;
    command.causal = shape.causal;
    command.total_keys = static_cast<int>(keys);
    for (std::int64_t column = 0; column < shape.value_width; column += chip_.linear.lanes) {
      command.value_width =
          static_cast<int>(std::min<std::int64_t>(chip_.linear.lanes, shape.value_width - column));
      command.reset = true;
      command.key_tokens = static_cast<int>(keys);
      command.query_tokens = shape.causal ? static_cast<int>(shape.queries) : 0;
      std::int64_t cycles = engine.alone_cycles(command);
      if (!shape.causal) {
        command.reset = false;
        command.key_tokens = 0;
        command.query_tokens = static_cast<int>(shape.queries);
        cycles += engine.alone_cycles(command);
      }
      engines_["linear"] += shape.instances * cycles;
    }
  }

  /// The vector unit makes codes of the sums of an output.
  void requantised(model::TensorId id) {
    if (id == model::kAbsent) return;
    const model::Tensor& made = graph_.tensor(id);
    const bool codes =
        made.format == model::Format::kCodes8 || made.format == model::Format::kCodes16;
    if (codes) engines_["vector"] += ceil_div<std::int64_t>(made.elements(), chip_.vector.lanes);
  }

  const ChipConfig& chip_;
  const model::Graph& graph_;
  const model::Node* node_ = nullptr;
  std::int64_t dram_bytes_ = 0;
  std::int64_t cim_macs_ = 0, cim_bit_macs_ = 0;
  std::int64_t write_bytes_ = 0, input_bytes_ = 0;
  std::int64_t output_bytes_ = 0;  ///< Of sums: a narrower result takes the place of one.
  std::map<std::string, std::int64_t> engines_;
};

Bounds Demand::bounds() const {
  const CimConfig& cim = chip_.cim;
  const DramDevice dram = dram_device(chip_);
  const std::int64_t products = std::int64_t{cim.macros} * cim.rows * cim.columns;
  Bounds bounds;
  // A bit of every input takes a cycle: products of narrower inputs are done sooner.
  const double bits = cim_macs_ == 0
                          ? cim.input_bits
                          : static_cast<double>(cim_bit_macs_) / static_cast<double>(cim_macs_);
  bounds.peak_macs_per_cycle = static_cast<double>(products) / bits;
  const auto add = [&](const char* resource, std::int64_t cycles, std::vector<std::string> keys) {
    if (cycles > 0) bounds.resources.push_back({resource, cycles, std::move(keys)});
  };
  const bool plain = chip_.dram.kind == kPlainDram;
  add("dram", ceil_div(dram_bytes_ * dram.burst, kTicksPerCycle * dram.channels * dram.burst_bytes),
      plain ? std::vector<std::string>{"dram.burst_cycles", "dram.burst_bytes"}
            : std::vector<std::string>{"dram.kind", "dram.channels"});
  // Where the buses are faster, the DMA's one burst per cycle is what counts.
  if (dram.burst < dram.channels * kTicksPerCycle)
    add("dma", ceil_div(dram_bytes_, std::int64_t{dram.burst_bytes}), {"clock_mhz"});
  add("cim", ceil_div(cim_bit_macs_, products), {"cim.macros", "cim.rows", "cim.columns"});
  add("cim_write_port", ceil_div(write_bytes_, std::int64_t{cim.write_bytes_per_cycle}),
      {"cim.write_bytes_per_cycle"});
  add("cim_input_port", ceil_div(input_bytes_, std::int64_t{cim.input_bytes_per_cycle}),
      {"cim.input_bytes_per_cycle"});
  add("cim_output_port", ceil_div(output_bytes_, std::int64_t{cim.output_bytes_per_cycle}),
      {"cim.output_bytes_per_cycle"});
  const std::map<std::string, std::vector<std::string>> keys = {
      {"softmax", {"softmax.lanes"}},
      {"damf", {"damf.lanes", "damf.query_rows"}},
      {"sinkhorn", {"sinkhorn.lanes", "sinkhorn.value_columns"}},
      {"linear", {"linear.lanes"}},
      {"vector", {"vector.lanes"}}};
  for (const auto& [engine, own] : keys) {
    const auto found = engines_.find(engine);
    if (found != engines_.end()) add(engine.c_str(), found->second, own);
  }
  return bounds;
}

}  // namespace

const ResourceBound& Bounds::largest() const {
  static const ResourceBound nothing{"nothing", 0, {}};
  const auto most = std::max_element(
      resources.begin(), resources.end(),
      [](const ResourceBound& a, const ResourceBound& b) { return a.cycles < b.cycles; });
  return most == resources.end() ? nothing : *most;
}

Bounds bounds_of(const ChipConfig& chip, const model::Graph& graph) {
  return Demand(chip, graph).bounds();
}

}  // namespace quadrille::hw
