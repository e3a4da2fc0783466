// What the builders of one operator's task share: they read the user's tensors, and
// collect the graph, its tensors' numbers and its outputs.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "app/networks/input_tensor.h"
#include "app/networks/operator.h"
#include "app/networks/task.h"
#include "app/operators/settings.h"
#include "app/operators/tensor_source.h"
#include "model/errors.h"

namespace quadrille::app {

/// Rows and columns behind perhaps two leading dimensions [B, H].
struct Leading {
  Shape front;  ///< [B, H], or nothing.
  int batch() const { return front.empty() ? 1 : static_cast<int>(front[0]); }
  int heads() const { return front.empty() ? 1 : static_cast<int>(front[1]); }
  /// The shape [B, H, ...] of a tensor with as many leading dimensions.
  Shape with(const Shape& rest) const {
    Shape shape = front;
    shape.insert(shape.end(), rest.begin(), rest.end());
    return shape;
  }
  /// It takes another number of heads; -1: any.
  Shape with(std::int64_t heads, const Shape& rest) const {
    Shape shape = with(rest);
    if (!front.empty()) shape[1] = heads;
    return shape;
  }
};

inline std::int64_t rows_of(const Shape& shape) { return element_count(shape) / shape.back(); }

/// Collects the graph of one operator, its tensors' numbers and its outputs.
class OperatorBuilder {
 public:
  OperatorBuilder(const TensorSource& source, const std::string& name, Settings& settings)
      : source_(source), settings_(settings) {
    graph_.name = name;
    graph_.source = source.path();
  }

  const TensorSource& source() const { return source_; }
  Settings& settings() { return settings_; }
  [[noreturn]] void refuse(const std::string& tensor, const std::string& expectation) const {
    throw InputError(source_.path(), source_.place(tensor), expectation);
  }

  /// The leading dimensions of a tensor that has `plain` dimensions without them.
  Leading leading(const std::string& name, std::size_t plain) const {
    const Shape& shape = source_.shape(name);
    if (shape.size() != plain + 2) return {};
    return {{shape.begin(), shape.begin() + 2}};
  }
  InputTensor read(const std::string& name, const Shape& expected, bool any_magnitude = false) {
    known_.push_back(name);
    return {source_, name, expected, any_magnitude};
  }
  /// A tensor that may be there and is read by the caller.
  bool optional(const std::string& name) {
    known_.push_back(name);
    return source_.has(name);
  }

  /// A tensor of the graph from the user's, whose given codes must fit its format
  /// (or fewer bits).
  model::TensorId constant(const std::string& name, InputTensor tensor, model::Role role,
                           model::Format format, int bits = 0) {
    if (source_.has_values()) tensor.require_codes(bits > 0 ? bits : 8 * bytes_of(format));
    const Shape shape = tensor.shape();
    Constant made{add(name, rows_of(shape), shape.back(), role, format), tensor.take_reals(), {}};
    if (tensor.is_integer()) made.given = {tensor.scale()};
    constants_.push_back(std::move(made));
    return constants_.back().tensor;
  }
  /// The numbers are the builder's own; `scales` are there if codes were given.
  model::TensorId constant(const std::string& name, std::int64_t rows, std::int64_t columns,
                           model::Role role, model::Format format, std::vector<double> values,
                           std::vector<double> scales = {}) {
    constants_.push_back(
        {add(name, rows, columns, role, format), std::move(values), std::move(scales)});
    return constants_.back().tensor;
  }
  model::TensorId add(const std::string& name, std::int64_t rows, std::int64_t columns,
                      model::Role role, model::Format format) {
    return graph_.add({name, rows, columns, role, format});
  }
  /// An output of the graph that the user sees under `name`.
  model::TensorId output(const std::string& tensor, const std::string& name, const Shape& shape,
                         model::Format format) {
    const model::TensorId id =
        add(tensor, rows_of(shape), shape.back(), model::Role::kOutput, format);
    outputs_.push_back({name, id, shape, 0, 1});
    return id;
  }
  void show(TaskOutput output) { outputs_.push_back(std::move(output)); }
  void node(model::Node made) { graph_.nodes.push_back(std::move(made)); }

  /// Refuses what nobody has asked for, and hands over.
  Task finish(const std::string& judged) {
    settings_.finish();
    refuse_other_tensors(source_, known_);
    model::check(graph_);
    Task task(std::move(graph_));
    task.outputs = std::move(outputs_);
    task.judged = judged;
    if (!source_.has_values()) return task;
    task.values.resize(task.graph.tensors.size());
    for (Constant& constant : constants_) {
      const auto id = static_cast<std::size_t>(constant.tensor);
      task.given.given_codes[id] = !constant.given.empty();
      task.given.scales[id] = std::move(constant.given);
      task.values[id] = std::move(constant.values);
    }
    return task;
  }

 private:
  struct Constant {
    model::TensorId tensor;
    std::vector<double> values;
    std::vector<double> given;  ///< Scales of codes that the user gave.
  };

  const TensorSource& source_;
  Settings& settings_;
  model::Graph graph_;
  std::vector<std::string> known_;
  std::vector<Constant> constants_;
  std::vector<TaskOutput> outputs_;
};

}  // namespace quadrille::app
