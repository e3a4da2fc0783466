// Question: do the operators of a graph mean the same for many heads, a batch and
// the alignments of a mask as they do for one head alone?
#include <gtest/gtest.h>

#include <random>

#include "app/networks/attention_layer.h"
#include "app/networks/operator.h"
#include "model/errors.h"
#include "model/graph/quantise.h"
#include "model/graph/work.h"

namespace quadrille::model {
namespace {

std::vector<double> random_values(std::int64_t count, unsigned seed) {
  std::mt19937_64 generator(seed);
  std::vector<double> values;
  // Multiples of 2^-20 in -4..4, the same with every library.
  for (std::int64_t i = 0; i < count; ++i)
    values.push_back(static_cast<double>(generator() % (1U << 23)) / (1U << 20) - 4.0);
  return values;
}

struct Sides {
  int queries = 0, keys = 0, width = 0, value_width = 0;
};

/// One attention on Q, K, V (and perhaps RP) at both levels.
class Attention {
 public:
  Attention(Operator op, const Heads& heads, const Sides& sides, std::int64_t table_rows = 0)
      : op_(std::move(op)), heads_(heads), sides_(sides), table_rows_(table_rows) {
    const int h = heads.in_columns ? heads.heads : 1, hk = heads.in_columns ? heads.key_heads : 1;
    const std::int64_t rows = heads.batch * (heads.in_columns ? 1 : heads.heads);
    const std::int64_t key_rows = heads.batch * (heads.in_columns ? 1 : heads.key_heads);
    q_ = add("Q", rows * sides.queries, h * sides.width, Role::kInput);
    k_ = add("K", key_rows * sides.keys, hk * sides.width, Role::kInput);
    v_ = add("V", key_rows * sides.keys, hk * sides.value_width, Role::kInput);
    out_ = add("out", rows * sides.queries, h * sides.value_width, Role::kOutput);
    graph_.tensors.back().format = Format::kSums32;
    Node node{"attention", "attention", op_, {q_, k_, v_}, {out_}};
    if (std::holds_alternative<LinearAttention>(op_)) {
      node.inputs.push_back(table_rows > 0 ? add("RP", table_rows, sides.width, Role::kWeight)
                                           : kAbsent);
      node.inputs.push_back(add("tables", 3, 256, Role::kWeight));
    }
    graph_.nodes = {node};
    check(graph_);
    values_.resize(graph_.tensors.size());
    scales_ = std::vector<double>(graph_.tensors.size(), 4.0 / 127);
  }

  std::vector<double>& values(const std::string& name) {
    return values_[static_cast<std::size_t>(graph_.find(name))];
  }
  void draw(unsigned seed) {
    for (const Tensor& tensor : graph_.tensors) {
      if (tensor.role == Role::kOutput || tensor.name == "tables") continue;
      values(tensor.name) = random_values(tensor.elements(), ++seed);
    }
  }
  std::vector<double> real() const {
    return evaluate(graph_, values_)[static_cast<std::size_t>(out_)];
  }
  /// Codes at scales that do not depend on the values, so that parts of a tensor
  /// have those of the whole.
  std::vector<std::int64_t> fixed(double largest_logit = 40.0) const {
    Calibration given(graph_);
    for (std::size_t i = 0; i < scales_.size(); ++i) {
      if (graph_.tensors[i].format == Format::kCodes8) given.scales[i] = {scales_[i]};
    }
    given.largest_logits = {largest_logit};
    const Quantised quantised = quantise(graph_, values_, given);
    return unpack64(
        evaluate(quantised.integers, quantised.tensors).tensors[static_cast<std::size_t>(out_)],
        Format::kSums32);
  }
  const Graph& graph() const { return graph_; }

 private:
  TensorId add(const char* name, std::int64_t rows, std::int64_t columns, Role role) {
    return graph_.add({name, rows, columns, role, Format::kCodes8});
  }

  Operator op_;
  Heads heads_;
  Sides sides_;
  std::int64_t table_rows_;
  Graph graph_;
  TensorId q_ = kAbsent, k_ = kAbsent, v_ = kAbsent, out_ = kAbsent;
  Values values_;
  std::vector<double> scales_;
};

template <typename T>
std::vector<T> rows(const std::vector<T>& matrix, std::int64_t columns, std::int64_t first,
                    std::int64_t count) {
  const auto begin = matrix.begin() + first * columns;
  return {begin, begin + count * columns};
}

Operator operator_of(const std::string& mechanism, const Heads& heads, bool causal,
                     CausalAlign align = CausalAlign::kStart) {
  if (mechanism == "softmax") return SoftmaxAttention{heads, causal, align, 0.4};
  if (mechanism == "linear") return LinearAttention{heads, causal, align, false};
  SinkhornAttention op{heads, causal, {}, 0.4, 1.0, 0};
  op.settings.half_steps = 6;
  return op;
}

class GraphAttention : public testing::TestWithParam<const char*> {};

TEST_P(GraphAttention, EveryHeadIsTheHeadAlone) {
  const Heads heads{2, 5, 2, false};
  const Sides sides{7, 6, 8, 3};
  Attention all(operator_of(GetParam(), heads, false), heads, sides);
  all.draw(3);
  const std::vector<double> real = all.real();
  const std::vector<std::int64_t> fixed = all.fixed();
  for (int i = 0; i < heads.instances(); ++i) {
    Attention one(operator_of(GetParam(), {}, false), {}, sides);
    // Query heads 0..4 read key heads 0, 0, 0, 1, 1.
    const int key = i / 5 * 2 + (i % 5 < 3 ? 0 : 1);
    one.values("Q") = rows(all.values("Q"), 8, std::int64_t{i} * 7, 7);
    one.values("K") = rows(all.values("K"), 8, std::int64_t{key} * 6, 6);
    one.values("V") = rows(all.values("V"), 3, std::int64_t{key} * 6, 6);
    EXPECT_EQ(rows(real, 3, std::int64_t{i} * 7, 7), one.real()) << i;
    EXPECT_EQ(rows(fixed, 3, std::int64_t{i} * 7, 7), one.fixed()) << i;
  }
}

TEST_P(GraphAttention, HeadsInColumnsAreThoseInRows) {
  const Heads in_rows{2, 3, 3, false}, in_columns{2, 3, 3, true};
  const Sides sides{5, 5, 4, 4};
  Attention a(operator_of(GetParam(), in_rows, true), in_rows, sides);
  Attention b(operator_of(GetParam(), in_columns, true), in_columns, sides);
  a.draw(11);
  // [B, H, L, d] to [B L, H d].
  const auto turned = [](const auto& matrix) {
    auto result = matrix;
    for (std::size_t i = 0; i < matrix.size(); ++i) {
      const std::size_t c = i % 4, l = i / 4 % 5, h = i / 20 % 3, entry = i / 60;
      result[((entry * 5 + l) * 3 + h) * 4 + c] = matrix[i];
    }
    return result;
  };
  for (const char* name : {"Q", "K", "V"}) b.values(name) = turned(a.values(name));
  EXPECT_EQ(turned(a.real()), b.real());
  EXPECT_EQ(turned(a.fixed()), b.fixed());
}

INSTANTIATE_TEST_SUITE_P(Mechanisms, GraphAttention,
                         testing::Values("softmax", "linear", "sinkhorn"),
                         [](const auto& mechanism) { return std::string(mechanism.param); });

class CausalEnd : public testing::TestWithParam<const char*> {};

// Aligned at the end, the queries are the last ones of a square problem.
TEST_P(CausalEnd, IsTheEndOfTheSquareProblem) {
  const Sides square{9, 9, 4, 3}, cut{4, 9, 4, 3};
  Attention whole(operator_of(GetParam(), {}, true), {}, square);
  Attention end(operator_of(GetParam(), {}, true, CausalAlign::kEnd), {}, cut);
  whole.draw(5);
  end.values("Q") = rows(whole.values("Q"), 4, 5, 4);
  end.values("K") = whole.values("K");
  end.values("V") = whole.values("V");
  EXPECT_EQ(end.fixed(), rows(whole.fixed(), 3, 5, 4));
  EXPECT_EQ(end.real(), rows(whole.real(), 3, 5, 4));
}

TEST_P(CausalEnd, IsRefusedWhereAQueryWouldSeeNoKey) {
  EXPECT_THROW(Attention(operator_of(GetParam(), {}, true, CausalAlign::kEnd), {}, {5, 4, 4, 3}),
               InputError);
}

INSTANTIATE_TEST_SUITE_P(Mechanisms, CausalEnd, testing::Values("softmax", "linear"),
                         [](const auto& mechanism) { return std::string(mechanism.param); });

TEST(GraphLinearAttention, TablesPerHeadAreEachHeadsOwn) {
  const Heads heads{1, 3, 3, false};
  const Sides sides{6, 6, 4, 2};
  Attention all(LinearAttention{heads, true, CausalAlign::kStart, true}, heads, sides, 15);
  all.draw(21);
  for (int i = 0; i < 3; ++i) {
    Attention one(LinearAttention{{}, true, CausalAlign::kStart, false}, {}, sides, 5);
    one.values("Q") = rows(all.values("Q"), 4, std::int64_t{i} * 6, 6);
    one.values("K") = rows(all.values("K"), 4, std::int64_t{i} * 6, 6);
    one.values("V") = rows(all.values("V"), 2, std::int64_t{i} * 6, 6);
    one.values("RP") = rows(all.values("RP"), 4, std::int64_t{i} * 5, 5);
    EXPECT_EQ(rows(all.real(), 2, std::int64_t{i} * 6, 6), one.real()) << i;
    EXPECT_EQ(rows(all.fixed(), 2, std::int64_t{i} * 6, 6), one.fixed()) << i;
  }
}

TEST(GraphWork, CountsVisiblePairsOnly) {
  const Heads heads{2, 4, 2, false};
  for (const CausalAlign align : {CausalAlign::kStart, CausalAlign::kEnd}) {
    const Attention attention(SoftmaxAttention{heads, true, align, 1.0}, heads, {3, 7, 5, 2});
    const std::int64_t pairs = align == CausalAlign::kStart ? 1 + 2 + 3 : 5 + 6 + 7;
    const auto counted = work(attention.graph(), {});
    ASSERT_TRUE(counted.has_value());
    EXPECT_EQ(counted->macs_static, 0);
    EXPECT_EQ(counted->macs_dynamic, 8 * pairs * (5 + 2));
  }
}

app::Task task_of(const std::string& name, std::map<std::string, app::Shape> shapes,
                  std::map<std::string, std::string> settings) {
  const app::ShapedTensors source("shapes", std::move(shapes), {});
  return app::operator_task(name, source, app::Settings("settings", std::move(settings)));
}

TEST(OperatorTask, KeepsLeadingDimensionsAndStatesTheAlignment) {
  const std::map<std::string, app::Shape> shapes = {
      {"Q", {2, 4, 3, 8}}, {"K", {2, 2, 5, 8}}, {"V", {2, 2, 5, 6}}};
  const app::Task softmax =
      task_of("softmax", shapes, {{"causal", "true"}, {"causal_align", "end"}});
  EXPECT_EQ(softmax.output("out").shape, (app::Shape{2, 4, 3, 6}));
  EXPECT_EQ(softmax.output("weights").shape, (app::Shape{2, 4, 3, 5}));
  EXPECT_EQ(softmax.metadata.at("causal_align"), "end");
  const app::Task linear = task_of("linear", shapes, {});
  EXPECT_EQ(linear.output("denominator").shape, (app::Shape{2, 4, 3}));
  EXPECT_EQ(linear.metadata.count("causal_align"), 0U);  // Without a mask there is none.
  const app::Task sinkhorn = task_of("sinkhorn", shapes, {});
  EXPECT_EQ(sinkhorn.output("c").shape, (app::Shape{2, 4, 5}));
  EXPECT_EQ(sinkhorn.output("iterations").shape, (app::Shape{2, 4}));
  const app::Task damf = task_of("damf", {{"s", {2, 4, 3}}, {"t", {2, 4, 3}}, {"V", {2, 4, 3, 6}}},
                                 {{"causal", "true"}});
  EXPECT_EQ(damf.output("s").shape, (app::Shape{2, 4, 3}));
  EXPECT_EQ(damf.output("out").shape, (app::Shape{2, 4, 3, 6}));
}

TEST(OperatorTask, RefusesWhatHasNoMeaning) {
  const std::map<std::string, std::string> end = {{"causal", "true"}, {"causal_align", "end"}};
  const auto shapes = [](std::int64_t queries, std::int64_t keys) {
    return std::map<std::string, app::Shape>{
        {"Q", {queries, 8}}, {"K", {keys, 8}}, {"V", {keys, 6}}};
  };
  EXPECT_THROW(task_of("softmax", shapes(5, 4), end), InputError);
  EXPECT_THROW(task_of("sinkhorn", shapes(4, 5), end), InputError);
  EXPECT_NO_THROW(task_of("sinkhorn", shapes(4, 4), end));
  EXPECT_NO_THROW(task_of("linear", shapes(4, 5), end));
  auto with_positions = shapes(4, 5);
  with_positions["RP"] = {3, 8};
  EXPECT_THROW(task_of("linear", with_positions, end), InputError);
  EXPECT_THROW(
      task_of("softmax", {{"Q", {1, 2, 3, 8}}, {"K", {1, 3, 5, 8}}, {"V", {1, 3, 5, 6}}}, {}),
      InputError);  // More key heads than heads.
}

// The codes of Q and K are made by the chip, so the real logits have to do: their
// spread is at most twice their largest magnitude.
TEST(GraphSinkhorn, HeldKernelOfALayerIsRefusedWhereLogitsMaySpreadTooFar) {
  app::AttentionLayerWorkload layer;
  layer.mechanism = Mechanism::kSinkhorn;
  layer.tokens = layer.key_tokens = 6;
  layer.model_width = layer.head_width = 4;
  layer.heads = layer.key_heads = 1;
  layer.sinkhorn.settings.form = SinkhornForm::kKernel;
  layer.data = app::RandomSource{};
  const auto quantised = [&](double scale) {
    layer.scale = scale;
    const app::Task task = app::attention_layer_task("layer", layer, true);
    const Values values = evaluate(task.graph, task.values);
    return quantise(task.graph, values, calibrate(task.graph, values, task.given));
  };
  EXPECT_NO_THROW(quantised(0.05));
  EXPECT_THROW(quantised(50.0), InputError);
}

TEST(GraphBytes, KeepSignsAndWidths) {
  const std::vector<std::int64_t> codes = {-1, 127, -128, 5};
  for (const Format format :
       {Format::kCodes8, Format::kCodes16, Format::kSums32, Format::kSums64}) {
    const TensorBytes bytes = pack(codes, format);
    EXPECT_EQ(bytes.size(), 4U * static_cast<unsigned>(bytes_of(format)));
    EXPECT_EQ(unpack64(bytes, format), codes);
  }
  EXPECT_EQ(pack(std::vector<std::int32_t>{0x1234}, Format::kCodes16), (TensorBytes{0x34, 0x12}));
}

TEST(GraphCheck, RefusesWhatDoesNotFit) {
  Graph graph;
  const TensorId x = graph.add({"X", 3, 4, Role::kInput, Format::kCodes8});
  const TensorId w = graph.add({"W", 5, 2, Role::kWeight, Format::kCodes8});
  const TensorId y = graph.add({"Y", 3, 2, Role::kOutput, Format::kSums32});
  graph.nodes = {{"product", "", Linear{}, {x, w}, {y}}};
  EXPECT_THROW(check(graph), InputError);
  graph.tensors[static_cast<std::size_t>(w)].rows = 4;
  EXPECT_NO_THROW(check(graph));
  graph.tensors[static_cast<std::size_t>(x)].role = Role::kValue;  // Nobody makes it.
  EXPECT_THROW(check(graph), InputError);
}

}  // namespace
}  // namespace quadrille::model
