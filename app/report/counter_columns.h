// Columns of the CSV tables that are rows of the table of counters, so that a new row
// is a new column.
#pragma once

#include <string>

#include "hw/counters/counter_table.h"

namespace quadrille::app {

/// "dram": what memory.dram is called in summary.json and in columns.
std::string memory_level(const hw::TrafficCounter& row);

// Names, each with a comma before it; and the values in their order, added to `csv`.
std::string mac_columns();
void add_macs(std::string& csv, const hw::Activity& activity);
std::string byte_columns();
void add_bytes(std::string& csv, const hw::Traffic& traffic);
/// Busy, stalled and idle cycles.
std::string cycle_columns();
void add_cycles(std::string& csv, const hw::OccupancyTotals& occupancy);
std::string stall_columns();
void add_stalls(std::string& csv, const hw::OccupancyTotals& occupancy);

/// The same of the causes that a running command can have.
std::string own_stall_columns();
void add_own_stalls(std::string& csv, const hw::OccupancyTotals& occupancy);

}  // namespace quadrille::app
