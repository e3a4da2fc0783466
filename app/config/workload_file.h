// Workload files: what is to be computed, and where its numbers come from.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/config/workload.h"
#include "app/files/safetensors.h"
#include "app/files/yaml_reader.h"
#include "model/transformer/attention_layer.h"

namespace quadrille::app {

/// One operator instead of a layer.
struct OperatorWork {
  std::string name;
  std::map<std::string, std::string> settings;  ///< As `eval` takes them.
  std::map<std::string, Shape> shapes;          ///< Of random tensors; else the file has them.
  int assumed_half_steps = 0;                   ///< See OperatorOptions.
};

struct Workload {
  std::string path;
  std::string name;
  std::optional<OperatorWork> operation;  ///< With it, `shape` and what follows say nothing.
  model::AttentionShape shape;
  double softmax_scale = 0.0;  ///< Factor of the logits of softmax and Sinkhorn.
  std::optional<TrainedData> trained;
  std::optional<FileData> file;
  RandomSource random;  ///< Without both.
  /// Static scales of the integer tensors; without them they come from the
  /// level `float` on the same data.
  std::optional<model::AttentionScales> scales;
};

/// Kinds of workloads that are one run (app/experiments has the others).
const std::vector<std::string>& workload_kinds();

/// InputError for an unknown key or kind, a wrong type or range. Paths in the
/// file are relative to it.
Workload read_workload_file(const std::string& path);

/// The same from a map inside another file, whose finish() is the caller's.
Workload read_workload(const YamlNode& node);

/// The settings of an operator under the key `settings`, as text; none without it.
std::map<std::string, std::string> read_operator_settings(const YamlNode& node);

}  // namespace quadrille::app
