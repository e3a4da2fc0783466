#include "app/report/csv.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iterator>

#include "app/report/counter_columns.h"

namespace quadrille::app {
namespace {

using Text = std::back_insert_iterator<std::string>;

void put_counters(Text to, const std::string& prefix, const hw::CounterModule& module,
                  hw::CountedRun run) {
  for (const hw::Counter& counter : module.counters()) {
    const hw::CounterInfo& info = *counter.info;
    fmt::format_to(to, "{}{},{},{},\"{}\",{},{}\n", prefix, counter.name, info.unit,
                   counter.value ? std::to_string(*counter.value) : "", info.description,
                   info.owner, counter.value ? hw::evidence_word(info.evidence, run) : "none");
  }
  for (const hw::CounterModule& child : module.children())
    put_counters(to, prefix + child.name() + ".", child, run);
}

/// All switching, then each component of the chip.
std::string energy_columns(const RunReport& report) {
  std::string names = ",energy_dynamic_pj";
  for (const auto& [component, picojoules] : report.energy.dynamic_pj)
    names += fmt::format(",energy_{}_pj", component);
  return names;
}

void add_energy(std::string& csv, const CommandFigures& figures) {
  const Text to(csv);
  fmt::format_to(to, ",{}", figures.total_dynamic_pj());
  for (const auto& [component, picojoules] : figures.dynamic_pj)
    fmt::format_to(to, ",{}", picojoules);
  csv += '\n';
}

void add_figures(std::string& csv, const std::string& name, const CommandFigures& figures) {
  const Text to(csv);
  fmt::format_to(to, "{},{},{},{},{}", name, figures.commands, figures.cycles, figures.span_cycles,
                 figures.busy_cycles);
  add_macs(csv, figures.activity);
  add_bytes(csv, figures.traffic);
  add_energy(csv, figures);
}

/// A command's number, and where it belongs.
void put_place(Text to, const RunReport& report, int command) {
  const hw::CommandRecord& record = report.outcome.chip.records[static_cast<std::size_t>(command)];
  fmt::format_to(to, "{},{},{},{},{}", command, hw::unit_name(record.unit), record.step,
                 report.outcome.program.nodes[static_cast<std::size_t>(record.node)].name,
                 record.head < 0 ? "" : std::to_string(record.head));
}

}  // namespace

std::string layers_csv(const RunReport& report) {
  std::string csv = fmt::format("layer,commands,cycles,span_cycles,busy_cycles{}{}{}\n",
                                mac_columns(), byte_columns(), energy_columns(report));
  for (const CommandFigures& layer : report.layers) add_figures(csv, layer.name, layer);
  return csv;
}

std::string nodes_csv(const RunReport& report) {
  std::string csv = fmt::format("layer,node,step,commands,cycles,span_cycles,busy_cycles{}{}{}\n",
                                mac_columns(), byte_columns(), energy_columns(report));
  for (const NodeFigures& node : report.nodes) {
    const std::string place = node.layer + "," + node.all.name + ",";
    add_figures(csv, place, node.all);
    for (const CommandFigures& step : node.steps) add_figures(csv, place + step.name, step);
  }
  return csv;
}

std::string engines_csv(const RunReport& report) {
  std::string csv =
      fmt::format("engine,commands{}{}{}\n", cycle_columns(), stall_columns(), mac_columns());
  const Text to(csv);
  const auto put = [&](const hw::EngineTotals& engine) {
    fmt::format_to(to, "{},{}", engine.name, engine.commands);
    add_cycles(csv, engine.occupancy);
    add_stalls(csv, engine.occupancy);
    add_macs(csv, engine.activity);
    csv += '\n';
  };
  const hw::ChipTotals& totals = report.outcome.chip.totals;
  for (const hw::EngineTotals& engine : totals.engines) put(engine);
  put(totals.dma);
  return csv;
}

std::string steps_csv(const RunReport& report) {
  std::string csv = fmt::format("step,commands,cycles,span_cycles,busy_cycles{}{}{}\n",
                                mac_columns(), byte_columns(), energy_columns(report));
  const Text to(csv);
  for (const CommandFigures& phase : report.steps) {
    fmt::format_to(to, "{},{},{},{},{}", phase.name, phase.commands, phase.cycles,
                   phase.span_cycles, phase.busy_cycles);
    add_macs(csv, phase.activity);
    add_bytes(csv, phase.traffic);
    add_energy(csv, phase);
  }
  return csv;
}

std::string tensors_csv(const RunReport& report) {
  std::string csv = fmt::format("tensor,role,bytes{}\n", byte_columns());
  for (const hw::TensorTraffic& tensor : report.outcome.tensors) {
    fmt::format_to(Text(csv), "{},{},{}", tensor.name, tensor.role, tensor.bytes);
    add_bytes(csv, tensor.traffic);
    csv += '\n';
  }
  return csv;
}

std::string commands_csv(const RunReport& report) {
  std::string csv = fmt::format(
      "command,unit,step,node,head,depends_on,start_cycle,end_cycle,busy_cycles{},"
      "waited_dependency_cycles,waited_write_exclusion_cycles{}{}\n",
      own_stall_columns(), mac_columns(), byte_columns());
  const Text to(csv);
  const auto& records = report.outcome.chip.records;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const hw::CommandRecord& record = records[i];
    put_place(to, report, static_cast<int>(i));
    fmt::format_to(to, ",{},{},{},{}",
                   fmt::join(report.outcome.program.commands[i].depends_on, " "),
                   record.start_cycle, record.end_cycle, record.occupancy.busy);
    add_own_stalls(csv, record.occupancy);
    fmt::format_to(to, ",{},{}", record.dependency_cycles, record.exclusion_cycles);
    add_macs(csv, record.activity);
    add_bytes(csv, record.traffic);
    csv += '\n';
  }
  return csv;
}

std::string critical_path_csv(const RunReport& report) {
  std::string csv = "command,unit,step,node,head,after,from_cycle,to_cycle,cycles\n";
  const Text to(csv);
  for (const hw::CriticalStep& step : report.outcome.critical_path) {
    put_place(to, report, step.command);
    fmt::format_to(to, ",{},{},{},{}\n", hw::critical_link_name(step.link), step.from_cycle,
                   step.to_cycle, step.cycles());
  }
  return csv;
}

std::string residuals_csv(const SinkhornFigures& sinkhorn) {
  std::string csv = "half_step,row_residual,column_residual\n";
  const Text to(csv);
  for (std::size_t i = 0; i < sinkhorn.residuals.size(); ++i) {
    fmt::format_to(to, "{},{},{}\n", i + 1, sinkhorn.residuals[i].row,
                   sinkhorn.residuals[i].column);
  }
  return csv;
}

std::string counters_csv(const hw::ChipResult& result) {
  std::string csv = "counter,unit,value,description,owner,evidence\n";
  put_counters(Text(csv), "", result.counters, result.totals.run);
  return csv;
}

}  // namespace quadrille::app
