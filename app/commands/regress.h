// `quadrille regress`: stored cases against stored goldens, exactly.
#pragma once

#include <string>
#include <vector>

namespace quadrille::app {

struct RegressOptions {
  std::vector<std::string> cases;  ///< Names, patterns or folders; none: all shipped cases.
  std::string level = "all";
  bool bless = false;
  int processes = 0;               ///< 0: one per processor.
  bool all = false;                ///< With bless: every shipped case.
  bool allow_missing_rtl = false;  ///< RTL that is not built need not be compared.
  std::string junit;               ///< XML file of the results; "": none.
  std::string cycles;              ///< CSV file of cycles; "": none.
};

const std::vector<std::string>& regress_levels();

int regress_command(const RegressOptions& options);

}  // namespace quadrille::app
