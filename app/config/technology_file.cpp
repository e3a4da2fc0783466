#include "app/config/technology_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "app/files/shipped.h"
#include "app/files/suggest.h"
#include "app/files/yaml_reader.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

constexpr double kLargest = 1e9;

hw::TechnologyRow read_row(const YamlNode& node) {
  const std::vector<std::string>& names = hw::required_technology_rows();
  hw::TechnologyRow row;
  row.name = node.text("name");
  if (std::find(names.begin(), names.end(), row.name) == names.end()) {
    node.child("name").fail(fmt::format("expected a row that energy or area needs, found {}{}",
                                        in_quotes(row.name), did_you_mean(row.name, names)));
  }
  row.value = node.number("value", 0.0, kLargest);
  row.unit = node.text("unit");
  if (const std::string unit = hw::technology_unit(row.name); row.unit != unit) {
    node.child("unit").fail(fmt::format("expected {}, the unit in which {} is priced, found {}",
                                        in_quotes(unit), row.name, in_quotes(row.unit)));
  }
  row.source = node.text("source");
  row.node_nm = node.number("node_nm", 1.0, 1000.0);
  row.voltage_v = node.number("voltage_v", 0.1, 10.0);
  row.tag = node.text("tag", source_tags());
  return row;
}

std::vector<hw::TechnologyRow> read_rows(const YamlNode& root) {
  std::vector<hw::TechnologyRow> rows;
  for (const YamlNode& node : root.sequence("rows")) {
    hw::TechnologyRow row = read_row(node);
    for (const hw::TechnologyRow& other : rows) {
      if (other.name == row.name)
        node.fail("expected each row once, found " + in_quotes(row.name) + " again");
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<hw::SramRow> read_sram(const YamlNode& root) {
  constexpr double kLeast = 1e-9;  // above zero: the table is interpolated in logarithms
  std::vector<hw::SramRow> sram;
  for (const YamlNode& node : root.sequence("sram")) {
    hw::SramRow row;
    row.capacity_kib = node.number("capacity_kib", kLeast, kLargest);
    row.read_pj = node.number("read_pj", kLeast, kLargest);
    row.write_pj = node.number("write_pj", kLeast, kLargest);
    row.leakage_uw = node.number("leakage_uw", kLeast, kLargest);
    if (!sram.empty() && !(row.capacity_kib > sram.back().capacity_kib))
      node.fail("expected capacities in rising order");
    sram.push_back(row);
  }
  return sram;
}

}  // namespace

const std::vector<std::string>& source_tags() {
  static const std::vector<std::string> tags = {"found",    "abstract", "quoted",
                                                "measured", "derived",  "assumed"};
  return tags;
}

hw::Technology read_technology_file(const std::string& path) {
  const YamlNode root = read_yaml(path);
  const std::string name = root.text("name");
  root.number("node_nm", 1.0, 1000.0);
  root.number("voltage_v", 0.1, 10.0);
  std::vector<hw::TechnologyRow> rows = read_rows(root);
  std::vector<hw::SramRow> sram = read_sram(root);
  root.finish();
  for (const std::string& needed : hw::required_technology_rows()) {
    if (std::none_of(rows.begin(), rows.end(),
                     [&](const hw::TechnologyRow& row) { return row.name == needed; })) {
      throw InputError(path, "rows", "expected a row named " + in_quotes(needed));
    }
  }
  if (sram.size() < 2) throw InputError(path, "sram", "expected at least two capacities");
  return {name, std::move(rows), std::move(sram)};
}

std::string find_technology(const std::string& name, const std::string& chip_path) {
  const auto beside = std::filesystem::path(chip_path).parent_path() / name;
  std::error_code error;
  if (std::filesystem::is_regular_file(beside, error)) return beside.string();
  return find_file(chip_path + ": technology", "technology", name);
}

}  // namespace quadrille::app
