// A technology table: numbers that turn counters into picojoules and square
// micrometres, each with where it comes from. Data, not code: app/ reads it
// from technology/*.yaml.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace quadrille::hw {

struct TechnologyRow {
  std::string name;  ///< e.g. "op.shift_add"; the keys that energy.cpp asks for.
  double value = 0.0;
  std::string unit;
  std::string source;
  double node_nm = 28.0;   ///< Of the source; the value itself is at the table's node.
  double voltage_v = 0.9;  ///< Of the source.
  std::string tag;         ///< found, abstract, quoted, measured, derived, assumed.
};

/// Energies of one SRAM bank of a capacity, per 128-bit access, and its leakage.
struct SramRow {
  double capacity_kib = 0.0;
  double read_pj = 0.0;
  double write_pj = 0.0;
  double leakage_uw = 0.0;
};

class Technology {
 public:
  Technology() = default;
  /// `sram` in rising order of capacity, at least two rows.
  Technology(std::string name, std::vector<TechnologyRow> rows, std::vector<SramRow> sram);

  /// Value of a row in the table's units. Throws InputError naming the table
  /// and the row when it is missing.
  double value(const std::string& row) const;
  /// Interpolated between the capacities around `capacity_kib` (straight lines
  /// in log-log), extended with the slope at the ends.
  SramRow sram(double capacity_kib) const;

  const std::string& name() const { return name_; }
  const std::vector<TechnologyRow>& rows() const { return rows_; }
  const std::vector<SramRow>& sram_rows() const { return sram_; }

 private:
  std::string name_;
  std::vector<TechnologyRow> rows_;
  std::vector<SramRow> sram_;
  std::map<std::string, double> values_;
};

/// Rows that energy and area need; a table without one of them is refused.
const std::vector<std::string>& required_technology_rows();
/// The unit in which energy and area take a row's value.
std::string technology_unit(const std::string& row);

}  // namespace quadrille::hw
