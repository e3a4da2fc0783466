// What there is to say about a counter beside its value, and how the value came about:
// two numbers that came about in the same way and from the same place are no evidence
// for each other.
#pragma once

namespace quadrille::hw {

enum class Evidence {
  kCounted,   ///< Counted by its module where the thing happens, in every run.
  kMoved,     ///< Counted where data move; where none do, derived from the commands.
  kTimed,     ///< Beat timing counts cycle by cycle, tile timing derives it.
  kBeatOnly,  ///< Counted in beat timing; tile timing has none.
  kDerived,   ///< From the commands' streams and copies, in closed form.
  kModel,     ///< The engine model's closed form of its commands, also of an engine in RTL.
  kValues,    ///< Counted in the data path by bodies that can tell; else there is no value.
};

/// What decides how a value came about in one run.
struct CountedRun {
  bool data = false;
  bool beat = false;
};

/// One word for reports: "counted", "derived" or "model"; "none" for what the run does
/// not have.
constexpr const char* evidence_word(Evidence evidence, CountedRun run) {
  switch (evidence) {
    case Evidence::kCounted:
      return "counted";
    case Evidence::kMoved:
      return run.data || run.beat ? "counted" : "derived";
    case Evidence::kTimed:
      return run.beat ? "counted" : "derived";
    case Evidence::kBeatOnly:
      return run.beat ? "counted" : "none";
    case Evidence::kDerived:
      return "derived";
    case Evidence::kModel:
      return "model";
    case Evidence::kValues:
      return run.data ? "counted" : "none";
  }
  return "none";
}

struct CounterInfo {
  const char* group;  ///< Modules that it stands in, below its owner: "macs"; "" for none.
  const char* name;
  const char* unit;
  const char* description;
  const char* owner;  ///< The module that it is about.
  Evidence evidence;
};

}  // namespace quadrille::hw
