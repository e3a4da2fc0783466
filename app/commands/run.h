// `quadrille run`: a workload on a chip, and its report.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace quadrille::app {

struct RunOptions {
  std::string workload;
  std::string chip = "default";
  std::optional<std::string> output;  ///< None: out/NAME, of the workload.
  std::vector<std::string> implementations;  ///< ENGINE=systemc|rtl
  std::vector<std::string> settings;         ///< KEY=VALUE, of the chip or the workload
  std::string timing;                        ///< "" : the chip's
  bool no_data = false;
  std::string check = "outputs";    ///< outputs or none.
  std::vector<std::string> traces;  ///< perfetto, fst.
  std::string waves_cycles;         ///< FROM:TO, of the traces; "": all.
  std::string by;                   ///< layer, node or engine; "": the run as a whole.
  std::optional<std::int64_t> seed;
};

/// The folder of the report: as given, or out/NAME with the workload's name.
std::string output_folder(const RunOptions& options, const std::string& workload);

int run_command(const RunOptions& options);

}  // namespace quadrille::app
