#include "app/regression/case.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <filesystem>

#include "app/config/chip_file.h"
#include "app/config/workload_file.h"
#include "app/files/shipped.h"
#include "app/files/suggest.h"
#include "app/files/yaml_reader.h"
#include "app/networks/operator.h"
#include "app/operators/tensor_source.h"
#include "model/errors.h"

namespace quadrille::app {
namespace fs = std::filesystem;
namespace {

/// Makes the task of an operator without data, of which the case has the shapes.
Task operator_without_data(const YamlNode& root, const std::string& name, Settings settings,
                           std::map<std::string, Shape> shapes) {
  OperatorOptions options;
  if (name == "sinkhorn")
    options.assumed_half_steps =
        static_cast<int>(root.integer("assumed_half_steps", 1, 1 << 30, 0));
  root.finish();
  return operator_task(name, ShapedTensors(root.file(), std::move(shapes)), std::move(settings),
                       options);
}

/// Every key that is left is read, or refused.
Task read_task(const YamlNode& root, const std::string& folder, bool data) {
  if (root.text("kind", {"operator", "layer"}) == "layer") {
    const Workload workload = read_workload(root.child("workload"));
    if (!std::holds_alternative<AttentionLayerWorkload>(workload.what))
      root.child("workload").child("kind").fail("expected attention-layer");
    root.finish();
    return make_task(workload, data);
  }
  const std::string name = root.text("operator", operator_names());
  Settings settings = read_operator_settings(root);
  if (!data) {
    return operator_without_data(root, name, std::move(settings),
                                 read_tensor_shapes(root.child("shapes")));
  }
  if (root.has("shapes"))
    root.child("shapes").fail("expected none, since input.safetensors has them");
  root.finish();
  const std::string tensors = (fs::path(folder) / "input.safetensors").string();
  return operator_task(name, FileTensors(SafetensorsFile::open(tensors)), std::move(settings));
}

bool is_pattern(const std::string& given) {
  return given.find_first_of("*?[") != std::string::npos;
}

/// The folder of a case given by its folder or by the name of a shipped one.
std::string folder_of(const std::string& given) {
  if (fs::exists(fs::path(given) / "case.yaml")) return given;
  std::vector<std::string> names;
  for (const std::string& folder : shipped_cases()) {
    names.push_back(fs::path(folder).filename().string());
    if (names.back() == given) return folder;
  }
  if (is_pattern(given))
    throw InputError("regress", in_quotes(given), "expected a pattern that a shipped case fits");
  throw InputError("regress", in_quotes(given),
                   "no such case; expected a folder with a case.yaml or a shipped case" +
                       did_you_mean(given, names));
}

}  // namespace

std::vector<std::string> shipped_cases() {
  std::vector<std::string> folders;
  std::error_code error;
  for (fs::directory_iterator entry(fs::path(shipped_root()) / "traces" / "cases", error), end;
       !error && entry != end; entry.increment(error)) {
    if (fs::exists(entry->path() / "case.yaml")) folders.push_back(entry->path().string());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

std::string describe_case(const std::string& folder) {
  const std::string file = (fs::path(folder) / "case.yaml").string();
  std::string said = description_of(file);
  if (!said.empty()) return said;
  try {
    const YamlNode root = read_yaml(file);
    const std::string chip = root.text("chip");
    if (root.text("kind") == "layer") {
      const YamlNode layer = root.child("workload");
      return fmt::format("attention layer, mechanism {}, {} tokens, on chip {}",
                         layer.text("mechanism"), layer.text("tokens"), chip);
    }
    said = fmt::format("operator {} on chip {}", root.text("operator"), chip);
    if (const auto settings = root.optional_child("settings")) {
      for (const std::string& key : settings->keys())
        said += fmt::format(", {} {}", key, settings->text(key));
    }
    return said;
  } catch (const InputError&) {
    return "cannot be read; `quadrille regress` says why";
  }
}

Case read_case(const std::string& given) {
  const std::string place = folder_of(given);
  const fs::path folder = fs::path(place).lexically_normal();
  const YamlNode root = read_yaml((folder / "case.yaml").string());
  // A path is meant from the case's folder; a name is that of a shipped chip.
  const std::string named = root.text("chip");
  const std::string beside = (folder / named).string();
  const hw::ChipConfig chip =
      read_chip_file(fs::is_regular_file(beside) ? beside : find_file(root.file(), "chips", named));
  const bool data = root.boolean("data", true);
  CaseBounds bounds = read_bounds(root, data);
  Case stored{(folder.has_filename() ? folder : folder.parent_path()).filename().string(), place,
              Simulation(read_task(root, place, data), chip), std::move(bounds)};
  if (!stored.bounds.tolerances.empty()) require_outputs(root, stored.bounds, fixed_result(stored));
  return stored;
}

std::vector<std::string> matching_cases(const std::vector<std::string>& given) {
  std::vector<std::string> cases;
  for (const std::string& pattern : given) {
    if (!is_pattern(pattern)) {
      cases.push_back(pattern);
      continue;
    }
    const std::size_t before = cases.size();
    for (const std::string& folder : shipped_cases()) {
      const std::string name = fs::path(folder).filename().string();
      if (::fnmatch(pattern.c_str(), name.c_str(), 0) == 0) cases.push_back(folder);
    }
    if (cases.size() == before) cases.push_back(pattern);
  }
  return cases;
}

}  // namespace quadrille::app
