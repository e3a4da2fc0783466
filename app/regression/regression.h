// Many cases side by side, each in a worker process, and what became of each.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "app/regression/case.h"

namespace quadrille::app {

struct CaseOutcome {
  enum class Kind {
    kCompared,  ///< `verdict` says how it ended.
    kRefused,   ///< It cannot be read, or does not fit its chip.
    kBroken,    ///< An invariant of the program does not hold.
    kLost,      ///< Its process ended without a result: a crash.
  };
  std::string name;  ///< Of the case; where it was not read as it was given.
  Kind kind = Kind::kCompared;
  std::string why;  ///< One line, where it was not compared.
  CaseVerdict verdict;
  std::string cycles_line;  ///< case_cycles_line().
};

struct Regression {
  std::vector<std::string> cases;  ///< Names or folders.
  std::vector<CaseLevel> levels;
  bool bless = false;
  int processes = 1;
};

/// `take` gets the outcomes in the order of the cases, each as soon as those before it
/// have ended; `tick` is called a few times per second with the number of those that have
/// ended. A case that crashes is not begun again: one that passes now and then is no pass.
void run_cases(const Regression& regression, const std::function<void(const CaseOutcome&)>& take,
               const std::function<void(std::size_t ended)>& tick);

}  // namespace quadrille::app
