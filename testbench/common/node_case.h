// One node of a graph with given integers, on a whole chip.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/chip_run.h"

namespace quadrille::testbench {

/// Inputs and outputs are added in the order of the operator's slots.
class NodeCase {
 public:
  NodeCase(model::Operator op, model::IntegerForm form) {
    integers_.graph.name = "case";
    integers_.graph.nodes.push_back({"node", "case", std::move(op), {}, {}});
    integers_.forms.push_back(std::move(form));
  }

  template <typename Code>
  NodeCase& input(const std::string& name, std::int64_t rows, std::int64_t columns,
                  const std::vector<Code>& codes, model::Format format = model::Format::kCodes8,
                  model::Role role = model::Role::kInput) {
    node().inputs.push_back(integers_.graph.add({name, rows, columns, role, format}));
    tensors_.push_back(model::pack(codes, format));
    return *this;
  }
  NodeCase& no_input() {
    node().inputs.push_back(model::kAbsent);
    return *this;
  }
  NodeCase& output(const std::string& name, std::int64_t rows, std::int64_t columns,
                   model::Format format = model::Format::kSums32) {
    node().outputs.push_back(
        integers_.graph.add({name, rows, columns, model::Role::kOutput, format}));
    tensors_.emplace_back();
    return *this;
  }
  NodeCase& no_output() {
    node().outputs.push_back(model::kAbsent);
    return *this;
  }

  /// The outputs by name. `expected` stands in place of the work that the graph's
  /// own closed form says.
  std::map<std::string, std::vector<std::int64_t>> run(
      const hw::ChipConfig& chip, std::optional<hw::ExpectedWork> expected) const {
    app::ChipJob job = app::make_job(chip, integers_);
    job.expected = expected;
    const app::ChipRun made = app::run_on_chip(chip, {chip.timing, {}, {}}, job, &tensors_);
    std::map<std::string, std::vector<std::int64_t>> outputs;
    for (const model::TensorId id : integers_.graph.nodes.front().outputs) {
      if (id == model::kAbsent) continue;
      const model::Tensor& tensor = integers_.graph.tensor(id);
      outputs[tensor.name] =
          model::unpack64(made.outputs[static_cast<std::size_t>(id)], tensor.format);
    }
    return outputs;
  }

 private:
  model::Node& node() { return integers_.graph.nodes.front(); }

  model::IntegerGraph integers_;
  model::ByteTensors tensors_;
};

}  // namespace quadrille::testbench
