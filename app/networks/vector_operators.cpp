#include "app/networks/vector_operators.h"

#include <fmt/format.h>

#include "app/config/choices.h"

namespace quadrille::app {
namespace {

using model::Format;
using model::Role;
using model::TensorId;

const Choices<Format> kBitsChoices = {{"16", Format::kCodes16}, {"8", Format::kCodes8}};
const Choices<model::ActivationKind> kActivationChoices = {
    {"gelu", model::ActivationKind::kGelu},
    {"gelu_tanh", model::ActivationKind::kGeluTanh},
    {"relu", model::ActivationKind::kRelu},
    {"silu", model::ActivationKind::kSilu}};
const Choices<model::RotaryLayout> kRotaryLayoutChoices = {
    {"half", model::RotaryLayout::kHalf}, {"interleaved", model::RotaryLayout::kInterleaved}};

/// X with its leading dimensions, as every operator of the vector unit has it.
struct Rows {
  Shape shape;
  Leading leading;
  Format format = Format::kCodes16;
  TensorId x = model::kAbsent;
};

Rows read_rows(OperatorBuilder& make, std::int64_t longest_row = 0) {
  Rows rows;
  rows.leading = make.leading("X", 2);
  rows.format = make.settings().choice("input_bits", kBitsChoices);
  InputTensor x = make.read("X", rows.leading.with({-1, -1}));
  rows.shape = x.shape();
  if (longest_row > 0 && rows.shape.back() > longest_row) {
    make.refuse("X", fmt::format("rows of {} elements, expected at most {}: the integer sums hold "
                                 "no more",
                                 rows.shape.back(), longest_row));
  }
  rows.x = make.constant("X", std::move(x), Role::kInput, rows.format);
  return rows;
}

/// The second operand of the operators of two.
TensorId read_other(OperatorBuilder& make, const Rows& rows) {
  return make.constant("Y", make.read("Y", rows.shape), Role::kInput, rows.format);
}

/// The task of one node, whose output has the shape of X.
Task one_node(OperatorBuilder make, const char* name, model::Operator op,
              std::vector<TensorId> inputs, const Rows& rows) {
  Settings& settings = make.settings();
  const Format format = settings.choice("output_bits", kBitsChoices);
  const double scale = settings.positive("output_scale", 1.0);
  const bool stated = settings.given("output_scale");
  const TensorId out = make.output("out", "out", rows.shape, format);
  make.node({name, name, std::move(op), std::move(inputs), {out}});
  Task task = make.finish("out");
  if (stated) task.given.scales[static_cast<std::size_t>(out)] = {scale};
  return task;
}

template <typename Norm>
Task norm_task(OperatorBuilder make, const char* name) {
  const Rows rows = read_rows(make, model::kNormLongestRow);
  const Norm op{make.settings().non_negative("epsilon", Norm{}.epsilon)};
  // Gains and offsets are made of the real numbers; as codes these would be rounded twice.
  const auto read_column = [&](const char* tensor) {
    return make.constant(tensor, make.read(tensor, {rows.shape.back()}), Role::kWeight,
                         Format::kSums32);
  };
  std::vector<TensorId> inputs = {rows.x, read_column("gamma")};
  if (make.optional("beta")) inputs.push_back(read_column("beta"));
  return one_node(std::move(make), name, op, std::move(inputs), rows);
}

}  // namespace

Task layernorm_task(OperatorBuilder make, const OperatorOptions&) {
  return norm_task<model::LayerNorm>(std::move(make), "layernorm");
}

Task rmsnorm_task(OperatorBuilder make, const OperatorOptions&) {
  return norm_task<model::RmsNorm>(std::move(make), "rmsnorm");
}

Task activation_task(OperatorBuilder make, const OperatorOptions&) {
  const Rows rows = read_rows(make);
  const model::Activation op{make.settings().choice("kind", kActivationChoices)};
  return one_node(std::move(make), "activation", op, {rows.x}, rows);
}

Task rotary_task(OperatorBuilder make, const OperatorOptions&) {
  const Rows rows = read_rows(make);
  if (rows.shape.back() % 2 != 0) {
    make.refuse("X", fmt::format("rows of {} elements, expected an even number: they are turned in "
                                 "pairs",
                                 rows.shape.back()));
  }
  model::Rotary op;
  op.heads.batch = rows.leading.batch();
  op.heads.heads = op.heads.key_heads = rows.leading.heads();
  op.theta = make.settings().positive("theta", op.theta);
  op.layout = make.settings().choice("layout", kRotaryLayoutChoices);
  return one_node(std::move(make), "rotary", op, {rows.x}, rows);
}

Task add_task(OperatorBuilder make, const OperatorOptions&) {
  const Rows rows = read_rows(make);
  const TensorId other = read_other(make, rows);
  return one_node(std::move(make), "add", model::Add{}, {rows.x, other}, rows);
}

Task multiply_task(OperatorBuilder make, const OperatorOptions&) {
  const Rows rows = read_rows(make);
  const TensorId other = read_other(make, rows);
  return one_node(std::move(make), "multiply", model::Multiply{}, {rows.x, other}, rows);
}

}  // namespace quadrille::app
