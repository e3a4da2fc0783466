// Workload files. A file is read once; everything behind takes the value.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "app/config/workload.h"
#include "app/files/yaml_reader.h"

namespace quadrille::app {

/// A documents' experiment: many runs and one report. Its own keys are still to
/// be read (app/experiments).
struct ExperimentWorkload {
  std::string kind;
  YamlNode keys;
};

struct Workload {
  std::string path;
  std::string name;
  std::variant<OperatorWorkload, AttentionLayerWorkload, ExperimentWorkload> what;

  /// What the workload's single layer is called: "attention", or the operator.
  const std::string& layer() const;
  /// Where its numbers come from; null for an experiment.
  const DataSource* data() const;
  /// The seed of random numbers; null when they are not random.
  const RandomSource* random() const;
  /// Takes another seed. InputError when the numbers are not random.
  void reseed(std::int64_t seed);
};

/// InputError for an unknown key or kind, a wrong type or range. Paths in the
/// file are relative to it. An experiment's keys are left for it to refuse.
Workload read_workload_file(const std::string& path);
Workload read_workload_file(const YamlNode& root);

/// The same from a map inside another file, whose finish() is the caller's.
Workload read_workload(const YamlNode& node);

/// Name -> shape of tensors, from a map of lists.
std::map<std::string, Shape> read_tensor_shapes(const YamlNode& node);

/// The settings of an operator under the key `settings`, as text; none without it.
Settings read_operator_settings(const YamlNode& node);

}  // namespace quadrille::app
