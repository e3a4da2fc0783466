#include "testbench/common/model_vs_rtl_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <vector>

namespace quadrille::testbench {
namespace {

struct Line {
  std::string name;
  std::string chip;
  std::string engines;
  std::int64_t tile = 0;
  std::int64_t beat = 0;
  std::string rtl;  ///< Stays empty when no engine of the case ran in RTL.

  double error_percent() const {
    return 100.0 * static_cast<double>(tile - beat) / static_cast<double>(beat);
  }
};

std::vector<Line> lines_of(const std::string& table) {
  std::istringstream text(table);
  std::string row;
  std::getline(text, row);  // Header.
  std::vector<Line> lines;
  while (std::getline(text, row)) {
    std::istringstream fields(row);
    Line line;
    std::string tile;
    std::string beat;
    std::getline(fields, line.name, ',');
    std::getline(fields, line.chip, ',');
    std::getline(fields, line.engines, ',');
    std::getline(fields, tile, ',');
    std::getline(fields, beat, ',');
    std::getline(fields, line.rtl, ',');
    line.tile = std::stoll(tile);
    line.beat = std::stoll(beat);
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace

ModelVsRtl model_vs_rtl(const std::string& table) {
  const std::vector<Line> lines = lines_of(table);
  std::string rows;
  double sum = 0.0;
  const Line* worst = &lines.front();
  int in_rtl = 0;
  int equal = 0;
  for (const Line& line : lines) {
    rows += fmt::format("| {} | {} | {} | {} | {} | {:+.3f} |\n", line.name,
                        line.engines.empty() ? "none" : line.engines, line.tile, line.beat,
                        line.rtl.empty() ? "-" : line.rtl, line.error_percent());
    sum += std::fabs(line.error_percent());
    if (std::fabs(line.error_percent()) > std::fabs(worst->error_percent())) worst = &line;
    in_rtl += line.rtl.empty() ? 0 : 1;
    equal += line.rtl == std::to_string(line.beat) ? 1 : 0;
  }
  ModelVsRtl result;
  result.mean_error_percent = sum / static_cast<double>(lines.size());
  result.in_rtl = in_rtl;
  result.equal = equal;
  result.page = fmt::format(
      "# The model against the RTL\n\n"
      "Cycles of every stored case (`traces/cases`) on its chip: in timing `tile`, in timing\n"
      "`beat`, and with its engines in RTL. From `docs/model_vs_rtl.csv`, which `quadrille "
      "regress\n"
      "--cycles FILE.csv` writes; `test_system --gtest_filter=Regress.*` holds both to what the\n"
      "program makes, and writes them with `QUADRILLE_BLESS=1`.\n\n"
      "`beat` equals RTL in {} of the {} cases that ran in RTL, of {} cases. `tile`, which "
      "neglects\n"
      "bank conflicts, against `beat`: mean absolute error {:.3f} % of the cycles (bound: {} %),\n"
      "worst case {:+.3f} %, {}. More layers are in [tile_vs_beat.md](tile_vs_beat.md).\n\n"
      "| case | in RTL | tile, cycles | beat, cycles | RTL, cycles | tile against beat, % |\n"
      "|---|---|---|---|---|---|\n{}",
      equal, in_rtl, lines.size(), result.mean_error_percent, kTileErrorBoundPercent,
      worst->error_percent(), worst->name, rows);
  return result;
}

}  // namespace quadrille::testbench
