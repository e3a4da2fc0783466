#include "app/report/report_files.h"

#include <algorithm>

#include "hw/engines.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

std::vector<std::string> fixed_names() {
  return {"summary.json",
          // A layer or an operator.
          "layers.csv", "nodes.csv", "engines.csv", "steps.csv", "tensors.csv", "commands.csv",
          "critical_path.csv", "counters.csv", "residuals.csv", "outputs.safetensors", "trace.json",
          // heat-flow
          "heat_flow.csv", "heat_flow.svg", "budgets.csv", "epsilons.svg", "word_lengths.csv",
          "word_lengths.svg",
          // sinkformer-geometry
          "geometry.csv", "positions.csv", "geometry_identity.svg", "geometry_hyperplanes.svg",
          "geometry_paranormal.svg", "geometry_negative.svg",
          // scaleformer-scaling
          "scaling.csv", "cycles.svg", "energy.svg", "traffic.svg", "crossover.csv",
          "crossover.svg",
          // damf-comparison
          "lengths.csv", "accuracy.csv", "lengths_cycles.svg", "lengths_energy.svg", "damf.csv",
          "damf_cycles.svg", "damf_energy.svg"};
}

}  // namespace

const std::vector<std::string>& report_file_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all = fixed_names();
    for (const std::string& engine : hw::engines().names_in_rtl())
      all.push_back(waveform_file_name(engine));
    return all;
  }();
  return names;
}

std::string waveform_file_name(const std::string& engine) { return engine + ".fst"; }

void commit_report(OutputFolder& folder,
                   const std::vector<std::pair<std::string, std::string>>& files) {
  std::vector<std::string> left = report_file_names();
  for (const auto& [name, content] : files) {
    const auto known = std::find(left.begin(), left.end(), name);
    if (known == left.end())
      throw InvariantError("report file " + name + " is not listed, or twice in one report");
    left.erase(known);
    folder.add(name, content);
  }
  folder.commit();
}

}  // namespace quadrille::app
