// The DAMF document's Table II and Figure 5 twice, side by side: as the paper
// counts, and as the simulated chip counted. Every difference has a name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/report/run_report.h"
#include "model/analytic/damf_tables.h"

namespace quadrille::app {

struct DifferenceLine {
  std::string name;
  std::int64_t amount = 0;
};

/// paper + the differences = simulated, exactly.
struct Bridge {
  std::string quantity;  ///< With its unit.
  std::int64_t paper = 0;
  std::vector<DifferenceLine> differences;
  std::int64_t simulated = 0;
};

/// One column of Table II.
struct ComparedDesign {
  std::string name;
  model::TableDesign design = model::TableDesign::kBaseline;
  model::LayerDimensions dimensions;
  RunReport run;
  model::TableCount paper;
  model::TableCount simulated;  ///< `parameters` are 8-bit words fetched.
  Bridge parameters, macs_static, macs_dynamic, accesses;
};

/// Throws InvariantError, naming the quantity, unless every bridge's rows sum
/// exactly to what the counters of the run say. The run must be of the
/// document's layer, without a mask.
ComparedDesign compare_design(const std::string& name, RunReport run);

/// The whole text of `quadrille tables`: BERT-base, BERTsmall, BERT-base by DAMF.
std::string comparison_text(const std::vector<ComparedDesign>& designs);

}  // namespace quadrille::app
