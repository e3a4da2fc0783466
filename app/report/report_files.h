// The files of reports: which names there are, and how a folder comes to hold
// those of one report only.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "app/files/output_folder.h"

namespace quadrille::app {

/// Every name that a report of any kind can have a file of.
const std::vector<std::string>& report_file_names();
/// Of an engine in RTL.
std::string waveform_file_name(const std::string& engine);

/// Commits these files (name, content) in place of an earlier report's. InvariantError
/// for a name that report_file_names() lacks.
void commit_report(OutputFolder& folder,
                   const std::vector<std::pair<std::string, std::string>>& files);

}  // namespace quadrille::app
