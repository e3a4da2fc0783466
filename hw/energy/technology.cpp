#include "hw/energy/technology.h"

#include <algorithm>
#include <cmath>

#include "hw/counters/counter_table.h"
#include "model/errors.h"

namespace quadrille::hw {
namespace {

struct RequiredRow {
  const char* name;
  const char* unit;
};

/// Beside the prices of counters, which are picojoules per count.
constexpr RequiredRow kRequired[] = {
    {"cim.bit_product", "pJ"},     {"cim.cell_write", "pJ/bit"},
    {"dram.read_bit", "pJ/bit"},   {"dram.write_bit", "pJ/bit"},
    {"dram.activation", "pJ"},     {"wire.bit_mm", "pJ/bit/mm"},
    {"wire.length", "mm"},         {"op.mac8", "pJ"},
    {"op.mac_wide", "pJ"},         {"op.power", "pJ"},
    {"op.register_bit", "pJ/bit"}, {"leakage.logic", "uW/mm2"},
    {"area.sram_bit", "um2/bit"},  {"area.cim_bit", "um2/bit"},
    {"area.mac8", "um2"},          {"area.mac_wide", "um2"},
    {"area.shift_add", "um2"},     {"area.logarithm", "um2"},
    {"area.exponential", "um2"},   {"area.requantise", "um2"},
    {"area.mux_bit", "um2/bit"},   {"area.register_bit", "um2/bit"}};

}  // namespace

const std::vector<std::string>& required_technology_rows() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const RequiredRow& row : kRequired) all.emplace_back(row.name);
    for (const ActivityCounter& row : kActivityCounters) {
      if (row.price != nullptr) all.emplace_back(row.price);
    }
    return all;
  }();
  return names;
}

std::string technology_unit(const std::string& row) {
  for (const RequiredRow& required : kRequired) {
    if (required.name == row) return required.unit;
  }
  return "pJ";
}

Technology::Technology(std::string name, std::vector<TechnologyRow> rows, std::vector<SramRow> sram)
    : name_(std::move(name)), rows_(std::move(rows)), sram_(std::move(sram)) {
  for (const TechnologyRow& row : rows_) values_[row.name] = row.value;
  for (const std::string& required : required_technology_rows()) value(required);
  if (sram_.size() < 2) throw InputError(name_, "sram", "expected at least two capacities");
}

double Technology::value(const std::string& row) const {
  const auto found = values_.find(row);
  if (found == values_.end()) throw InputError(name_, "rows", "expected a row named '" + row + "'");
  return found->second;
}

SramRow Technology::sram(double capacity_kib) const {
  // The segment that holds the capacity, or the nearest one.
  std::size_t upper = 1;
  while (upper + 1 < sram_.size() && sram_[upper].capacity_kib < capacity_kib) ++upper;
  const SramRow& a = sram_[upper - 1];
  const SramRow& b = sram_[upper];
  const double position =
      std::log(capacity_kib / a.capacity_kib) / std::log(b.capacity_kib / a.capacity_kib);
  // Energies and leakage grow like powers of the capacity: straight lines in
  // log-log, never below zero outside the table.
  const auto between = [&](double low, double high) {
    return std::exp(std::log(low) + position * (std::log(high) - std::log(low)));
  };
  return {capacity_kib, between(a.read_pj, b.read_pj), between(a.write_pj, b.write_pj),
          between(a.leakage_uw, b.leakage_uw)};
}

}  // namespace quadrille::hw
