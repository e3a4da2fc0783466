#include "app/report/counter_columns.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

namespace quadrille::app {
namespace {

/// Calls `visit` with every row of a group.
template <typename Rows, typename Visit>
void each_in(const Rows& rows, std::string_view group, Visit visit) {
  for (const auto& row : rows) {
    if (row.info.group == group) visit(row);
  }
}

template <typename Rows>
std::string names_in(const Rows& rows, std::string_view group, const char* format) {
  std::string names;
  each_in(rows, group,
          [&](const auto& row) { names += fmt::format(fmt::runtime(format), row.info.name); });
  return names;
}

/// Causes from here on are a waiting unit's.
constexpr auto kOwnStallCauses = static_cast<std::size_t>(hw::StallCause::kCimWritePort);

void add_value(std::string& csv, std::int64_t value) {
  fmt::format_to(std::back_inserter(csv), ",{}", value);
}

}  // namespace

std::string memory_level(const hw::TrafficCounter& row) {
  const std::string_view group = row.info.group;
  return std::string(group.substr(group.rfind('.') + 1));
}

std::string mac_columns() { return names_in(hw::kActivityCounters, "macs", ",macs_{}"); }

void add_macs(std::string& csv, const hw::Activity& activity) {
  each_in(hw::kActivityCounters, "macs",
          [&](const auto& row) { add_value(csv, activity.*row.count); });
}

std::string byte_columns() {
  std::string names;
  for (const hw::TrafficCounter& row : hw::kTrafficCounters)
    names += fmt::format(",{}_{}", memory_level(row), row.info.name);
  return names;
}

void add_bytes(std::string& csv, const hw::Traffic& traffic) {
  for (const hw::TrafficCounter& row : hw::kTrafficCounters) add_value(csv, row.count(traffic));
}

std::string cycle_columns() { return names_in(hw::kOccupancyCounters, "", ",{}"); }

void add_cycles(std::string& csv, const hw::OccupancyTotals& occupancy) {
  each_in(hw::kOccupancyCounters, "",
          [&](const auto& row) { add_value(csv, row.count(occupancy)); });
}

std::string stall_columns() {
  return names_in(hw::kOccupancyCounters, "stalls", ",stalled_{}_cycles");
}

void add_stalls(std::string& csv, const hw::OccupancyTotals& occupancy) {
  each_in(hw::kOccupancyCounters, "stalls",
          [&](const auto& row) { add_value(csv, row.count(occupancy)); });
}

std::string own_stall_columns() {
  std::string names;
  for (std::size_t cause = 0; cause < kOwnStallCauses; ++cause)
    names +=
        fmt::format(",stalled_{}_cycles", hw::stall_cause_name(static_cast<hw::StallCause>(cause)));
  return names;
}

void add_own_stalls(std::string& csv, const hw::OccupancyTotals& occupancy) {
  for (std::size_t cause = 0; cause < kOwnStallCauses; ++cause)
    add_value(csv, occupancy.stalled[cause]);
}

}  // namespace quadrille::app
