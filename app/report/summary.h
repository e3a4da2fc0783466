// summary.json: the totals of a run under the names that other programs rely
// on. Its schema is docs/summary.schema.json.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "app/report/run_report.h"

namespace quadrille::app {

inline constexpr int kSummarySchemaVersion = 2;

/// MulTCIM on BERT-base as the DAMF document quotes it.
inline constexpr double kMultcimPowerShare = 0.5816;
inline constexpr double kMultcimMacsShare = 0.0406;

nlohmann::ordered_json summary(const RunReport& report);

/// The whole file: same report, same bytes.
std::string summary_json(const RunReport& report);

}  // namespace quadrille::app
