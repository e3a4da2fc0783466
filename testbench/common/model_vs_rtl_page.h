// docs/model_vs_rtl.md from the table that `quadrille regress --cycles` writes.
#pragma once

#include <string>

namespace quadrille::testbench {

/// ONNXim publishes this as its mean absolute error against RTL.
inline constexpr double kTileErrorBoundPercent = 0.23;

struct ModelVsRtl {
  std::string page;
  double mean_error_percent = 0.0;  ///< Mean of the absolute errors of tile against beat.
  int in_rtl = 0;                   ///< Cases with at least one engine in RTL.
  int equal = 0;                    ///< Cases among these with the cycles of beat.
};

ModelVsRtl model_vs_rtl(const std::string& table);

}  // namespace quadrille::testbench
