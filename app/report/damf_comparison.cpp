#include "app/report/damf_comparison.h"

#include <fmt/format.h>

#include <array>
#include <iterator>

#include "app/report/summary.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

using Text = std::back_insert_iterator<std::string>;

/// Scratchpad accesses that serve one purpose, in both counts.
struct AccessGroup {
  const char* name;
  std::vector<std::string> phases;      ///< Of the simulated run.
  std::vector<std::string> paper_rows;  ///< Of model::figure5_words.
};

const std::vector<AccessGroup>& access_groups() {
  static const std::vector<AccessGroup> groups = {
      {"static weights: into the scratchpad, then into the CIM array, output projection too",
       {"load_weights"},
       {"read W_Q, W_K, W_V", "read W_V, u, v"}},
      {"X and what becomes of it: once per strip, 32-bit sums, requantised",
       {"projection", "score_inner", "requantise"},
       {"read X, once per projection", "read X, once", "write Q, K, V", "write V, s, t",
        "write output"}},
      {"Q, K, V to the products: K and V into the CIM array, 32-bit scores",
       {"write_dynamic", "scores"},
       {"read Q, K"}},
      {"softmax: scores read, codes and reciprocals written", {"normalise"}, {}},
      {"weighted values: operands read again per block of queries, 32-bit sums",
       {"weighted_values"},
       {"read attention weights", "read V", "read s, t", "read shift factors"}},
      {"output projection, left out by the paper", {"output_projection"}, {}},
      {"X from the DRAM and the output to it, left out by the paper",
       {"load_input", "store_output"},
       {}}};
  return groups;
}

template <typename T>
bool contains(const std::vector<T>& values, const T& value) {
  for (const T& entry : values) {
    if (entry == value) return true;
  }
  return false;
}

void check_sum(const std::string& design, const Bridge& bridge) {
  std::int64_t total = bridge.paper;
  for (const DifferenceLine& line : bridge.differences) total += line.amount;
  if (total == bridge.simulated) return;
  throw InvariantError(fmt::format(
      "tables: {}: {}: the paper's {} and the named differences make {}, the simulation counted {}",
      design, bridge.quantity, bridge.paper, total, bridge.simulated));
}

Bridge access_bridge(const ComparedDesign& column) {
  Bridge bridge;
  bridge.quantity = "scratchpad accesses of the layer (8-bit words)";
  const auto rows = model::figure5_words(column.design, column.dimensions);
  bridge.paper = model::sum(rows);
  bridge.differences.push_back(
      {"the other heads, the paper counts one", bridge.paper * (column.dimensions.heads - 1)});
  std::size_t used = 0;
  for (const AccessGroup& group : access_groups()) {
    std::int64_t amount = 0;
    for (const CommandFigures& phase : column.run.steps) {
      if (contains(group.phases, phase.name))
        amount += phase.traffic.sram_read.bytes + phase.traffic.sram_write.bytes;
    }
    for (const model::AccessRow& row : rows) {
      if (!contains(group.paper_rows, row.name)) continue;
      amount -= row.words * column.dimensions.heads;
      ++used;
    }
    if (amount != 0) bridge.differences.push_back({group.name, amount});
  }
  if (used != rows.size())
    throw InvariantError("tables: a row of Figure 5 belongs to no group of accesses");
  const hw::Traffic& traffic = column.run.outcome.chip.totals.traffic;
  bridge.simulated = traffic.sram_read.bytes + traffic.sram_write.bytes;
  return bridge;
}

void add_mac_bridges(ComparedDesign& column, const model::DamfSettings& settings) {
  hw::Activity activity;
  for (const hw::EngineTotals& engine : column.run.outcome.chip.totals.engines)
    activity += engine.activity;
  column.simulated.macs_static = activity.macs_static;
  column.simulated.macs_dynamic = activity.macs_dynamic;
  column.macs_static = {"static MACs", column.paper.macs_static, {}, column.simulated.macs_static};
  column.macs_dynamic = {
      "dynamic MACs", column.paper.macs_dynamic, {}, column.simulated.macs_dynamic};
  const auto add = [&](const std::vector<model::DifferenceRow>& rows) {
    for (const model::DifferenceRow& row : rows)
      column.macs_dynamic.differences.push_back({row.name, row.macs});
  };
  add(model::complete_minus_paper(column.design, column.dimensions));
  if (column.design == model::TableDesign::kDamf)
    add(model::executed_minus_complete(column.dimensions, settings));
}

void add_parameter_bridge(ComparedDesign& column) {
  std::int64_t fetched = 0;
  for (const CommandFigures& phase : column.run.steps) {
    if (phase.name == "load_weights")
      fetched += phase.traffic.dram_read_bytes - phase.traffic.dram_read_padding_bytes;
  }
  column.simulated.parameters = fetched;
  const std::int64_t complete =
      model::table_count(column.design, model::TableReading::kComplete, column.dimensions)
          .parameters;
  column.parameters = {"parameters fetched (words)", column.paper.parameters, {}, fetched};
  if (complete != column.paper.parameters) {
    column.parameters.differences.push_back(
        {"u and v of the other heads, the paper counts one", complete - column.paper.parameters});
  }
  column.parameters.differences.push_back(
      {"fetched again: tiles that could not stay", fetched - complete});
  if (fetched < complete) {
    throw InvariantError(fmt::format("tables: {}: {} parameters fetched, the layer has {}",
                                     column.name, fetched, complete));
  }
}

void put_bridge(Text to, const Bridge& bridge) {
  fmt::format_to(to, "    {:<84}{:>14}\n", bridge.quantity + ", paper", bridge.paper);
  for (const DifferenceLine& line : bridge.differences)
    fmt::format_to(to, "      {:<82}{:>+14}\n", line.name, line.amount);
  fmt::format_to(to, "    {:<84}{:>14}\n", bridge.quantity + ", simulated", bridge.simulated);
}

void put_table(Text to, const std::vector<ComparedDesign>& designs) {
  fmt::format_to(to,
                 "Table II, one layer of multi-head self-attention, 128 tokens\n\n"
                 "  {:<22}|{:^42}|{:^42}\n  {:<22}|{:>10}{:>11}{:>11}{:>10}|{:>10}{:>11}{:>11}"
                 "{:>10}\n",
                 "", "as the paper counts", "as the simulated chip counted", "", "Param./M",
                 "dyn. MACs", "MACs", "dyn.", "Param./M", "dyn. MACs", "MACs", "dyn.");
  for (const ComparedDesign& column : designs) {
    fmt::format_to(to, "  {:<22}", column.name);
    for (const model::TableCount* count : {&column.paper, &column.simulated}) {
      fmt::format_to(to, "|{:>10.2f}{:>9} M{:>9} M{:>10}", count->parameters_mib(),
                     model::in_millions(count->macs_dynamic),
                     model::in_millions(count->macs_total()),
                     model::in_percent(count->dynamic_ratio()));
    }
    fmt::format_to(to, "\n");
  }
  fmt::format_to(to,
                 "\n  \"Param./M\" is MiB of 32-bit words in both halves; the chip holds 8-bit"
                 " words, a quarter of it.\n");
}

void put_figure5(Text to, const std::vector<ComparedDesign>& designs) {
  const ComparedDesign& base = designs.front();
  const ComparedDesign& damf = designs.back();
  const auto ratio = [](std::int64_t a, std::int64_t b) {
    return static_cast<double>(a) / static_cast<double>(b);
  };
  fmt::format_to(to,
                 "\nFigure 5, memory accesses of {} over {}\n\n"
                 "  paper, one head (a reconstruction: the document prints only 2.71)"
                 "  {} / {} = {:.4f}\n"
                 "  simulated, the layer, scratchpad                                 "
                 "  {} / {} = {:.4f}\n",
                 base.name, damf.name, base.accesses.paper, damf.accesses.paper,
                 ratio(base.accesses.paper, damf.accesses.paper), base.accesses.simulated,
                 damf.accesses.simulated, ratio(base.accesses.simulated, damf.accesses.simulated));
  const auto dram = [](const ComparedDesign& column) {
    const hw::Traffic& traffic = column.run.outcome.chip.totals.traffic;
    return traffic.dram_read_bytes + traffic.dram_write_bytes;
  };
  fmt::format_to(to,
                 "  simulated, the layer, DRAM (bytes)                               "
                 "  {} / {} = {:.4f}\n",
                 dram(base), dram(damf), ratio(dram(base), dram(damf)));
}

void put_ratios(Text to) {
  fmt::format_to(to, "\nRatios that the document prints\n\n  {:<16}{:>8}{:>14}{:>14}{:>20}\n", "",
                 "printed", "from printed", "from exact", "all heads, A'V in");
  for (const model::PrintedRatio& ratio : model::printed_ratios()) {
    fmt::format_to(to, "  {:<16}{:>8}{:>14.3f}{:>14.3f}{:>20.3f}  {}\n", ratio.name,
                   ratio.printed.empty() ? "-" : ratio.printed, ratio.from_printed, ratio.exact,
                   ratio.complete, ratio.remark);
  }
}

void put_dynamic(Text to, const std::vector<ComparedDesign>& designs) {
  fmt::format_to(to,
                 "\nDynamic operands: products of two run-time matrices, and writing K and V\n\n"
                 "  {:<48}{:>8}{:>9}{:>9}{:>16}{:>16}\n",
                 "share of", "MACs", "cycles", "energy", "writing, cycles", "writing, energy");
  const auto put = [&](const std::string& name, const DynamicOperands& shares) {
    fmt::format_to(to, "  {:<48}{:>7.2f}%{:>8.2f}%{:>8.2f}%{:>15.2f}%{:>15.2f}%\n", name,
                   100 * shares.macs_share, 100 * shares.cycles_share, 100 * shares.energy_share,
                   100 * shares.write_cycles_share, 100 * shares.write_energy_share);
  };
  for (const ComparedDesign& column : designs) {
    put(column.name, column.run.dynamic);
    put(column.name + ", weights already there", column.run.dynamic_resident);
    put(column.name + ", and without DRAM energy", column.run.dynamic_on_chip);
  }
  fmt::format_to(to, "  {:<48}{:>7.2f}%{:>9}{:>8.2f}%  (of the power)\n",
                 "MulTCIM on BERT-base, as the document quotes it", 100 * kMultcimMacsShare, "-",
                 100 * kMultcimPowerShare);
}

}  // namespace

ComparedDesign compare_design(const std::string& name, RunReport run) {
  ComparedDesign column;
  column.run = std::move(run);
  const auto* layer = std::get_if<AttentionLayerWorkload>(&column.run.request.workload.what);
  if (layer == nullptr || layer->causal || layer->heads * layer->head_width != layer->model_width)
    throw InvariantError("tables: " + name + " is not the document's layer");
  column.name = name;
  column.design = layer->mechanism == Mechanism::kDamf ? model::TableDesign::kDamf
                                                       : model::TableDesign::kBaseline;
  column.dimensions = {layer->tokens, layer->model_width, layer->heads};
  column.paper = model::table_count(column.design, model::TableReading::kPaper, column.dimensions);
  add_parameter_bridge(column);
  add_mac_bridges(column, layer->damf);
  column.accesses = access_bridge(column);
  for (const Bridge* bridge :
       {&column.parameters, &column.macs_static, &column.macs_dynamic, &column.accesses}) {
    check_sum(name, *bridge);
  }
  return column;
}

std::string comparison_text(const std::vector<ComparedDesign>& designs) {
  std::string text;
  const Text to(text);
  put_table(to, designs);
  put_figure5(to, designs);
  fmt::format_to(to, "\nFrom the paper's counts to the simulated ones\n");
  for (const ComparedDesign& column : designs) {
    fmt::format_to(to, "\n  {}\n", column.name);
    for (const Bridge* bridge :
         {&column.parameters, &column.macs_static, &column.macs_dynamic, &column.accesses}) {
      put_bridge(to, *bridge);
    }
  }
  put_ratios(to);
  put_dynamic(to, designs);
  return text;
}

}  // namespace quadrille::app
