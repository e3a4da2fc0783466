#include "app/report/csv.h"

#include <fmt/format.h>

#include <iterator>

namespace quadrille::app {
namespace {

using Text = std::back_insert_iterator<std::string>;

constexpr const char* kMacColumns = "macs_static,macs_dynamic,macs_wasted";
constexpr const char* kByteColumns =
    "dram_read_bytes,dram_write_bytes,sram_read_bytes,sram_write_bytes,cim_write_bytes";

void put_macs(Text to, const hw::Activity& activity) {
  fmt::format_to(to, ",{},{},{}", activity.macs_static, activity.macs_dynamic,
                 activity.macs_wasted);
}

void put_bytes(Text to, const hw::Traffic& traffic) {
  fmt::format_to(to, ",{},{},{},{},{}", traffic.dram_read_bytes, traffic.dram_write_bytes,
                 traffic.sram_read.bytes, traffic.sram_write.bytes, traffic.cim_write_bytes);
}

std::string stall_columns() {
  std::string names;
  for (int cause = 0; cause < hw::kStallCauses; ++cause) {
    names +=
        fmt::format(",stalled_{}_cycles", hw::stall_cause_name(static_cast<hw::StallCause>(cause)));
  }
  return names;
}

void put_stalls(Text to, const hw::OccupancyTotals& occupancy) {
  for (int cause = 0; cause < hw::kStallCauses; ++cause)
    fmt::format_to(to, ",{}", occupancy.stalled_by(static_cast<hw::StallCause>(cause)));
}

void put_counters(Text to, const std::string& prefix, const hw::CounterModule& module) {
  for (const hw::Counter& counter : module.counters()) {
    fmt::format_to(to, "{}{},{},{},\"{}\"\n", prefix, counter.name, counter.unit,
                   counter.value ? std::to_string(*counter.value) : "", counter.description);
  }
  for (const hw::CounterModule& child : module.children())
    put_counters(to, prefix + child.name() + ".", child);
}

void put_figures(Text to, const std::string& name, const CommandFigures& figures) {
  fmt::format_to(to, "{},{},{},{},{}", name, figures.commands, figures.cycles, figures.span_cycles,
                 figures.busy_cycles);
  put_macs(to, figures.activity);
  put_bytes(to, figures.traffic);
  fmt::format_to(to, ",{}\n", figures.total_dynamic_pj());
}

}  // namespace

std::string layers_csv(const RunReport& report) {
  std::string csv =
      fmt::format("layer,commands,cycles,span_cycles,busy_cycles,{},{},energy_dynamic_pj\n",
                  kMacColumns, kByteColumns);
  for (const CommandFigures& layer : report.layers) put_figures(Text(csv), layer.name, layer);
  return csv;
}

std::string nodes_csv(const RunReport& report) {
  std::string csv = fmt::format(
      "layer,node,step,commands,cycles,span_cycles,busy_cycles,{},{},energy_dynamic_pj\n",
      kMacColumns, kByteColumns);
  for (const NodeFigures& node : report.nodes) {
    const std::string place = node.layer + "," + node.all.name + ",";
    put_figures(Text(csv), place, node.all);
    for (const CommandFigures& step : node.steps) put_figures(Text(csv), place + step.name, step);
  }
  return csv;
}

std::string engines_csv(const RunReport& report) {
  std::string csv = fmt::format("engine,commands,busy_cycles,stalled_cycles,idle_cycles{},{}\n",
                                stall_columns(), kMacColumns);
  const Text to(csv);
  const auto put = [&](const hw::EngineTotals& engine) {
    const hw::OccupancyTotals& occupancy = engine.occupancy;
    fmt::format_to(to, "{},{},{},{},{}", engine.name, engine.commands, occupancy.busy,
                   occupancy.all_stalled(), occupancy.idle);
    put_stalls(to, occupancy);
    put_macs(to, engine.activity);
    fmt::format_to(to, "\n");
  };
  const hw::ChipTotals& totals = report.outcome.chip.totals;
  for (const hw::EngineTotals& engine : totals.engines) put(engine);
  put(totals.dma);
  return csv;
}

std::string phases_csv(const RunReport& report) {
  std::string csv = fmt::format("phase,commands,cycles,busy_cycles,{},{},energy_dynamic_pj\n",
                                kMacColumns, kByteColumns);
  const Text to(csv);
  for (const CommandFigures& phase : report.phases) {
    fmt::format_to(to, "{},{},{},{}", phase.name, phase.commands, phase.span_cycles,
                   phase.busy_cycles);
    put_macs(to, phase.activity);
    put_bytes(to, phase.traffic);
    fmt::format_to(to, ",{}\n", phase.total_dynamic_pj());
  }
  return csv;
}

std::string commands_csv(const RunReport& report) {
  std::string csv = fmt::format(
      "command,unit,step,node,head,start_cycle,end_cycle,busy_cycles{},waited_dependency_cycles,"
      "waited_write_exclusion_cycles,{},{}\n",
      stall_columns(), kMacColumns, kByteColumns);
  const Text to(csv);
  const auto& records = report.outcome.chip.records;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const hw::CommandRecord& record = records[i];
    fmt::format_to(to, "{},{},{},{},{},{},{},{}", i, hw::unit_name(record.unit), record.step,
                   report.outcome.nodes[static_cast<std::size_t>(record.node)].name,
                   record.head < 0 ? "" : std::to_string(record.head), record.start_cycle,
                   record.end_cycle, record.occupancy.busy);
    put_stalls(to, record.occupancy);
    fmt::format_to(to, ",{},{}", record.dependency_cycles, record.exclusion_cycles);
    put_macs(to, record.activity);
    put_bytes(to, record.traffic);
    fmt::format_to(to, "\n");
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

std::string counters_csv(const hw::CounterModule& root) {
  std::string csv = "counter,unit,value,description\n";
  put_counters(Text(csv), "", root);
  return csv;
}

}  // namespace quadrille::app
