#include "app/sweep/point_runner.h"

#include <filesystem>
#include <new>
#include <nlohmann/json.hpp>
#include <set>
#include <variant>

#include "app/config/technology_file.h"
#include "app/config/workload_file.h"
#include "app/files/hash.h"
#include "app/report/summary.h"
#include "app/simulation.h"
#include "app/version.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

std::string line(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// What summary.json says about the file and the inputs, and figures of documents, which
/// are no totals of a run.
bool is_total(const std::string& name) {
  return name != "schema_version" && name != "seed" && name != "dynamic_operands.quoted";
}

/// The numbers of `from` and of the objects in it, by name; lists are no totals.
void add_totals(Json& totals, const Json& from, const std::string& prefix) {
  for (const auto& [key, value] : from.items()) {
    const std::string name = prefix + key;
    if (!is_total(name)) continue;
    if (value.is_number()) totals[name] = value;
    if (value.is_object()) add_totals(totals, value, name + ".");
  }
}

Overrides only(const SweepSpec& spec, const std::string& key, const std::string& value) {
  SweepSpec one;
  one.path = spec.path;
  one.grid = {{key, {value}}};
  SweepPoint point;
  point.values = {value};
  return one.overrides(point);
}

}  // namespace

PointRunner::PointRunner(const SweepSpec& spec) : spec_(spec) {
  for (const SweepFile& file : spec.workloads) {
    workloads_.push_back(read_yaml(file.path));
    if (const YamlNode& root = workloads_.back(); root.is_map() && root.has("kind") &&
                                                  root.text("kind") != "operator" &&
                                                  root.text("kind") != "attention-layer") {
      root.child("kind").fail("expected a workload that is one run, for a sweep makes the many");
    }
  }
  for (const SweepFile& file : spec.chips) chips_.push_back(read_chip_source(file.path));
  for (const SweepAxis& axis : spec.grid) check_axis(axis);
  for (const SweepAxis& axis : spec.random) check_axis(axis);
  for (const ChipSource& chip : chips_) technology(technology_path(parse_chip(chip)));
  for (const auto* axes : {&spec.grid, &spec.random}) {
    for (const SweepAxis& axis : *axes) read_varied_technologies(axis);
  }
}

void PointRunner::read_varied_technologies(const SweepAxis& axis) {
  if (axis.key != "technology") return;
  for (const std::string& value : std::set<std::string>(axis.values.begin(), axis.values.end())) {
    for (const ChipSource& chip : chips_) {
      try {
        technology(technology_path(parse_chip(chip, only(spec_, axis.key, value).chip)));
      } catch (const InputError&) {
        // Points with this table are rows with this message.
      }
    }
  }
}

void PointRunner::check_axis(const SweepAxis& axis) const {
  std::string first;
  const auto reads = [&](const auto& read) {
    try {
      read();
      return true;
    } catch (const InputError& error) {
      if (first.empty()) first = error.what();
      return false;
    }
  };
  for (const std::string& value : axis.values) {
    const Overrides one = only(spec_, axis.key, value);
    if (one.workload.empty()) {
      for (const ChipSource& chip : chips_) {
        if (reads([&] { parse_chip(chip, one.chip); })) return;
      }
    } else {
      for (const YamlNode& root : workloads_) {
        if (reads([&] { read_workload_file(with_overrides(root, one.workload)); })) return;
      }
    }
  }
  throw InputError(first);
}

const hw::Technology& PointRunner::technology(const std::string& path) {
  const auto known = technologies_.find(path);
  if (known != technologies_.end()) return known->second;
  return technologies_.emplace(path, read_technology_file(path)).first->second;
}

std::string PointRunner::simulate_point(const SweepPoint& point) {
  const Overrides overrides = spec_.overrides(point);
  RunRequest request;
  request.workload =
      read_workload_file(with_overrides(workloads_[point.workload], overrides.workload));
  const ParsedChip chip = parse_chip(chips_[point.chip], overrides.chip);
  request.chip = resolve(chip);
  request.technology = technology(technology_path(chip));
  request.data = spec_.data;
  RunOutcome outcome = simulate(request);
  if (outcome.difference) {
    return failure_line(
        point.index, "comparison",
        "the chip's output differs from the integer specification: " + *outcome.difference);
  }
  const RunReport report = make_report(std::move(request), std::move(outcome), {});
  Json json = {{"point", point.index}, {"totals", Json::object()}};
  add_totals(json["totals"], summary(report), "");
  return line(json);
}

std::string PointRunner::run(std::int64_t index) {
  try {
    return simulate_point(spec_.point(index));
  } catch (const InputError& error) {
    return failure_line(index, "input", error.what());
  } catch (const InvariantError& error) {
    return failure_line(index, "invariant", std::string("invariant violated: ") + error.what());
  } catch (const std::bad_alloc&) {
    return failure_line(index, "input", "out of memory, expected a point that fits");
  } catch (const std::exception& error) {
    return failure_line(index, "invariant", std::string("internal error: ") + error.what());
  }
}

std::map<std::string, std::string> PointRunner::fingerprints() const {
  std::map<std::string, std::string> files;
  files["sweep"] = file_fnv1a_64(spec_.path);
  // Another build of the program may plan another way: its points are no part of this table.
  files["program"] = std::string(version()) + " " + file_fnv1a_64("/proc/self/exe");
  for (std::size_t i = 0; i < chips_.size(); ++i) {
    for (const std::string& file : chips_[i].files) {
      const bool base = file != chips_[i].files.front();
      files["chip " + spec_.chips[i].given +
            (base ? ", its base " + fs::path(file).filename().string() : "")] = file_fnv1a_64(file);
    }
  }
  for (const auto& [path, table] : technologies_)
    files["technology " + table.name()] = file_fnv1a_64(path);
  for (std::size_t i = 0; i < workloads_.size(); ++i) {
    const std::string role = "workload " + spec_.workloads[i].given;
    files[role] = file_fnv1a_64(spec_.workloads[i].path);
    if (!spec_.data) continue;
    for (const auto& [path, hash] : data_files(workloads_[i])) files[role + ", its " + path] = hash;
  }
  return files;
}

std::map<std::string, std::string> PointRunner::data_files(const YamlNode& workload) const {
  std::map<std::string, std::string> files;
  const auto add = [&](const std::string& path) {
    std::error_code error;
    if (fs::is_regular_file(path, error))
      files[fs::path(path).filename().string()] = file_fnv1a_64(path);
  };
  const auto add_of = [&](const std::vector<Override>& overrides) {
    try {
      const Workload read = read_workload_file(with_overrides(workload, overrides));
      if (const auto* file = std::get_if<FileData>(read.data())) add(file->tensors);
      if (const auto* trained = std::get_if<TrainedData>(read.data())) {
        add(trained->checkpoint);
        add(trained->text);
      }
    } catch (const InputError&) {
      // A file that lacks a varied key is whole in the points only.
    }
  };
  add_of({});
  for (const auto* axes : {&spec_.grid, &spec_.random}) {
    for (const SweepAxis& axis : *axes) {
      if (axis.key.find(".data.") == std::string::npos) continue;
      for (const std::string& value : std::set<std::string>(axis.values.begin(), axis.values.end()))
        add_of(only(spec_, axis.key, value).workload);
    }
  }
  return files;
}

std::string failure_line(std::int64_t index, const std::string& kind, const std::string& message) {
  return line({{"point", index}, {"failed", kind}, {"message", message}});
}

}  // namespace quadrille::app
