// What a run reports, whatever the form: summary.json, CSV tables, console.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/report/energy_figures.h"
#include "app/simulation.h"

namespace quadrille::app {

/// A file that the run read: what for, its name, its fingerprint.
struct InputFile {
  std::string role;
  std::string name;
  std::string fnv1a_64;
};

/// Some commands of a run together: those of a step, of a node, of a layer.
struct CommandFigures {
  std::string name;
  std::int64_t commands = 0;
  std::int64_t cycles = 0;       ///< Their share of the critical path: shares sum to the run's.
  std::int64_t span_cycles = 0;  ///< In which at least one of them ran.
  std::int64_t busy_cycles = 0;  ///< Summed over units, so of all groups more than the run has.
  hw::Activity activity;
  hw::Traffic traffic;
  hw::ByComponent dynamic_pj;

  double total_dynamic_pj() const { return hw::total(dynamic_pj); }
};

struct NodeFigures {
  CommandFigures all;
  std::string layer;
  std::vector<CommandFigures> steps;
};

/// The dynamic-operand problem: products of two run-time matrices, and writing
/// one of them (K, V) into the CIM array.
struct DynamicOperands {
  double macs_share = 0.0;            ///< Of all useful MACs.
  double product_cycles_share = 0.0;  ///< Cycles with a dynamic product running.
  double write_cycles_share = 0.0;    ///< Cycles with K or V being written.
  double cycles_share = 0.0;          ///< Either.
  double product_energy_share = 0.0;  ///< Of the dynamic (switching) energy.
  double write_energy_share = 0.0;
  double energy_share = 0.0;
};

/// How fast the run was, and how fast its resources would let it be.
struct RateFigures {
  double achieved_macs_per_cycle = 0.0;  ///< All useful ones.
  double utilisation = 0.0;              ///< Of the CIM bank's peak, at the run's widths.
  double cycles_over_bound = 0.0;        ///< 1: as fast as the largest bound.
  double seconds = 0.0;
  double mean_power_w = 0.0;
  double tops = 0.0;  ///< Two operations per useful MAC.
  double tops_per_w = 0.0;
};

struct RunReport {
  RunRequest request;
  RunOutcome outcome;
  std::vector<InputFile> inputs;
  std::vector<std::string> settings;  ///< --set, as given.
  EnergyFigures energy;
  RateFigures rates;
  std::vector<std::int64_t> critical_cycles;  ///< By command: its own on the critical path.
  std::vector<CommandFigures> steps;          ///< By step, in the order of their first commands.
  std::vector<NodeFigures> nodes;             ///< In running order; those with commands.
  std::vector<CommandFigures> layers;         ///< In the order of their first nodes.
  DynamicOperands dynamic;                    ///< Of the whole run.
  DynamicOperands dynamic_resident;           ///< Without the one-time load of the static weights.
  DynamicOperands dynamic_on_chip;            ///< And without the DRAM's energy.
};

RunReport make_report(RunRequest request, RunOutcome outcome, std::vector<InputFile> inputs);

}  // namespace quadrille::app
