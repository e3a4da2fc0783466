// quadrille rtl build|list|lint: verilated engines at the sizes of a chip file.
#pragma once

#include <string>
#include <vector>

namespace quadrille::app {

struct RtlOptions {
  std::string chip = "default";
  std::vector<std::string> settings;  ///< KEY=VALUE of the chip.
  std::vector<std::string> engines;   ///< None: all that exist in RTL.
  bool waves = false;
  std::string sources;  ///< list: a folder for file lists and generated tables; "": none.
};

/// The exit status. InputError for a chip or an engine that is not there, for RTL that
/// is refused at these sizes, and for a tool that is missing.
int rtl_build_command(const RtlOptions& options);
int rtl_list_command(const RtlOptions& options);
int rtl_lint_command(const RtlOptions& options);

}  // namespace quadrille::app
