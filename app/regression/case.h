// Stored cases: inputs, golden outputs and golden counters, compared exactly but where the
// case states a bound.
//
// A case is a folder with
//   case.yaml            chip, an operator with settings or a layer, bounds
//   input.safetensors    its tensors; none without data
//   golden.safetensors   the integer tensors of the level `fixed`; none without data
//   counters.json        every counter of the runs in tile and in beat timing
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/regression/case_bounds.h"
#include "app/simulation.h"

namespace quadrille::app {

struct Case {
  std::string name;
  std::string folder;
  Simulation simulation;
  CaseBounds bounds;
};

enum class CaseLevel {
  kFixed,
  kSystemc,
  kRtl,  ///< Every engine of the case whose RTL is built; CaseVerdict names the others.
};

/// What went wrong, one line each, and how much was compared.
struct CaseVerdict {
  std::vector<std::string> differences;
  std::size_t values = 0;
  std::size_t counters = 0;
  std::size_t bounds = 0;
  // Of the runs that were made.
  std::optional<std::int64_t> tile_cycles;
  std::optional<std::int64_t> beat_cycles;
  std::optional<std::int64_t> rtl_cycles;
  std::vector<std::string> rtl_engines;
  /// Engines that were not compared in RTL: the words of `rtl build` that make them.
  std::vector<std::string> not_built;
  bool good() const { return differences.empty(); }
};

/// Folders of the shipped cases, sorted.
std::vector<std::string> shipped_cases();

/// A case in a line: what its file begins with as a comment, else operator or layer, chip and
/// settings.
std::string describe_case(const std::string& folder);

/// Names and folders as they are; a pattern ("softmax-*") as the shipped cases that fit it,
/// or as it is where none does: read_case() refuses it.
std::vector<std::string> matching_cases(const std::vector<std::string>& given);

/// `given` is a folder with a case.yaml or the name of a shipped case.
/// InputError for anything else and for a case that cannot be read.
Case read_case(const std::string& given);

/// The case's outputs at the level `fixed`.
OperatorResult fixed_result(Case& stored);

/// Runs the levels and compares each with the goldens, or where the case has bounds with
/// those and, every bit, with the level `fixed`. A golden that is not there is a
/// difference: a case compared with nothing has failed.
CaseVerdict check_case(Case& stored, const std::vector<CaseLevel>& levels);

/// Rewrites the goldens, unless `fixed` and `systemc` differ or a bound does not hold.
CaseVerdict bless_case(Case& stored);

/// The table of `regress --cycles`: a header, and a line per case at all levels.
inline constexpr const char* kCaseCyclesHeader =
    "case,chip,rtl_engines,tile_cycles,beat_cycles,rtl_cycles,tile_error_percent\n";
std::string case_cycles_line(const Case& stored, const CaseVerdict& verdict);

}  // namespace quadrille::app
