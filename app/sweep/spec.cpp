#include "app/sweep/spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <set>

#include "app/files/shipped.h"
#include "app/files/suggest.h"
#include "app/files/yaml_reader.h"
#include "app/sweep/samples.h"
#include "hw/chip_keys.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kMostPoints = 1000000;
const std::string kWorkload = "workload.";

bool of_workload(const std::string& key) {
  return key.compare(0, kWorkload.size(), kWorkload) == 0;
}

/// The file beside the spec, or else the shipped one of that name.
SweepFile read_file(const YamlNode& node, const std::string& folder) {
  const std::string given = node.as_text();
  const fs::path beside = fs::path(node.file()).parent_path() / given;
  std::error_code error;
  if (fs::is_regular_file(beside, error)) return {given, beside.lexically_normal().string()};
  const std::vector<std::string> names = shipped_names(folder);
  if (std::find(names.begin(), names.end(), given) != names.end())
    return {given, (fs::path(shipped_root()) / folder / (given + ".yaml")).string()};
  node.fail(fmt::format("expected a file beside this one or a shipped name ({}), found {}{}",
                        fmt::join(names, ", "), in_quotes(given), did_you_mean(given, names)));
}

std::vector<SweepFile> read_files(const YamlNode& node, const std::string& folder) {
  if (!node.is_sequence()) return {read_file(node, folder)};
  std::vector<SweepFile> files;
  for (const YamlNode& item : node.items()) files.push_back(read_file(item, folder));
  if (files.empty()) node.fail("expected at least one, found an empty list");
  return files;
}

/// The chip's key, null for one of the workload, whose keys its own reader checks. A key
/// of neither is refused.
const hw::ChipKey* known_key(const YamlNode& node, const std::string& key) {
  if (of_workload(key) && key.size() > kWorkload.size()) return nullptr;
  std::vector<std::string> names;
  for (const hw::ChipKey& known : hw::chip_keys()) {
    if (known.name == key) return &known;
    names.push_back(known.name);
  }
  for (const hw::RemovedChipKey& removed : hw::removed_chip_keys()) {
    if (removed.name == key) node.fail("no key any more; " + removed.instead);
  }
  std::string hint = did_you_mean(key, names);
  if (hint.empty() && node.is_map())
    hint = ", whose parts stand in one word as in 'softmax.lanes: [8, 16]'";
  node.fail("expected a key of the chip (cim.rows) or of the workload (workload.tokens)" + hint);
}

void refuse_twice(const YamlNode& node, const std::string& key, const SweepSpec& spec) {
  const std::vector<std::string> keys = spec.keys();
  if (std::find(keys.begin(), keys.end(), key) != keys.end())
    node.fail("expected the key once, in grid or in random");
}

void read_grid(const YamlNode& grid, SweepSpec& spec) {
  for (const std::string& key : grid.keys()) {
    const YamlNode node = grid.child(key);
    known_key(node, key);
    spec.grid.push_back({key, grid_values(node)});
  }
}

void read_random(const YamlNode& random, SweepSpec& spec) {
  spec.random_points = random.integer("points", 1, kMostPoints);
  const auto seed = static_cast<std::uint64_t>(
      random.integer("seed", 0, std::numeric_limits<std::int64_t>::max(), 1));
  for (const std::string& key : random.keys()) {
    if (key == "points" || key == "seed") continue;
    const YamlNode node = random.child(key);
    refuse_twice(node, key, spec);
    const hw::ChipKey* known = known_key(node, key);
    const bool power_of_two = known != nullptr && known->power_of_two;
    spec.random.push_back(
        {key, random_values(node, {key, seed, spec.random_points, power_of_two})});
  }
  if (spec.random.empty())
    random.fail("expected a key to draw, as in cim.rows: {from: 64, to: 256}");
}

void read_goals(const YamlNode& root, SweepSpec& spec) {
  if (const auto constraints = root.optional_child("constraints")) {
    for (const YamlNode& item : constraints->items()) {
      const ParsedConstraint parsed = parse_constraint(item.as_text());
      if (!parsed.expectation.empty()) item.fail(parsed.expectation);
      spec.constraints.push_back(parsed.constraint);
    }
  }
  if (const auto objectives = root.optional_child("objectives")) {
    for (const YamlNode& item : objectives->items())
      spec.objectives.push_back(parse_objective(item.as_text()));
  }
}

/// Overflow is no danger: no factor exceeds a million, and it stops there.
std::int64_t product_of_sizes(const SweepSpec& spec) {
  std::int64_t points = spec.random_points;
  const auto times = [&](std::size_t size) {
    points = std::min(points * static_cast<std::int64_t>(size), kMostPoints + 1);
  };
  times(spec.workloads.size());
  times(spec.chips.size());
  for (const SweepAxis& axis : spec.grid) times(axis.values.size());
  return points;
}

}  // namespace

std::vector<std::string> SweepSpec::keys() const {
  std::vector<std::string> keys;
  for (const auto* axes : {&grid, &random}) {
    for (const SweepAxis& axis : *axes) keys.push_back(axis.key);
  }
  return keys;
}

std::int64_t SweepSpec::points() const { return product_of_sizes(*this); }

SweepPoint SweepSpec::point(std::int64_t index) const {
  SweepPoint point;
  point.index = index;
  auto left = static_cast<std::size_t>(index);
  const auto digit = [&](std::size_t size) {
    const std::size_t value = left % size;
    left /= size;
    return value;
  };
  const std::size_t draw = digit(static_cast<std::size_t>(random_points));
  point.values.resize(grid.size());
  for (std::size_t i = grid.size(); i-- > 0;)
    point.values[i] = grid[i].values[digit(grid[i].values.size())];
  for (const SweepAxis& axis : random) point.values.push_back(axis.values[draw]);
  point.chip = digit(chips.size());
  point.workload = digit(workloads.size());
  return point;
}

Overrides SweepSpec::overrides(const SweepPoint& point) const {
  const std::string file = fs::path(path).filename().string();
  const std::vector<std::string> names = keys();
  Overrides all;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string source = fmt::format("{}: {}={}", file, names[i], point.values[i]);
    if (of_workload(names[i])) {
      all.workload.push_back({names[i].substr(kWorkload.size()), point.values[i], source});
    } else {
      all.chip.push_back({names[i], point.values[i], source});
    }
  }
  return all;
}

SweepSpec read_sweep_spec(const std::string& path) {
  const YamlNode root = read_yaml(path);
  SweepSpec spec;
  spec.path = path;
  spec.name = root.text("name");
  spec.workloads = read_files(root.child("workload"), "workloads");
  const auto chip = root.optional_child("chip");
  spec.chips = chip ? read_files(*chip, "chips")
                    : std::vector<SweepFile>{{"default", find_file(path, "chips", "default")}};
  spec.data = root.boolean("data", false);
  if (const auto grid = root.optional_child("grid")) read_grid(*grid, spec);
  if (const auto random = root.optional_child("random")) read_random(*random, spec);
  read_goals(root, spec);
  root.finish();
  if (spec.points() > kMostPoints)
    root.fail(fmt::format("expected at most {} points, found more", kMostPoints));
  return spec;
}

}  // namespace quadrille::app
