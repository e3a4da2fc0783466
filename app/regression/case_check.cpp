#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "app/files/atomic_file.h"
#include "app/files/hash.h"
#include "app/files/suggest.h"
#include "app/operators/compare.h"
#include "app/regression/case.h"
#include "app/rtl/built_rtl.h"
#include "model/errors.h"

namespace quadrille::app {
namespace fs = std::filesystem;
namespace {

/// True of the counters that RTL has not: its pins do not tell them.
bool counts_values(const std::string& name) {
  const auto ends_with = [&](const std::string& end) {
    return name.size() >= end.size() &&
           name.compare(name.size() - end.size(), end.size(), end) == 0;
  };
  return ends_with("values.saturated") || ends_with("values.uniform_rows");
}

using Json = nlohmann::ordered_json;
/// Counter path -> value; null where a counter has none.
using Counters = std::map<std::string, Json>;

constexpr const char* kFixedLevel = "fixed";
constexpr const char* kGolden = "golden.safetensors";
constexpr const char* kCounters = "counters.json";

std::string path_in(const Case& stored, const char* name) {
  return (fs::path(stored.folder) / name).string();
}

void collect(const hw::CounterModule& module, const std::string& prefix, Counters& counters) {
  for (const hw::Counter& counter : module.counters())
    counters[prefix + counter.name] = counter.value ? Json(*counter.value) : Json(nullptr);
  for (const hw::CounterModule& child : module.children())
    collect(child, prefix + child.name() + ".", counters);
}

struct CaseRun {
  OperatorResult result;
  std::int64_t cycles = 0;
  std::vector<std::string> rtl_engines;
  Counters counters;
};

CaseRun run_case(Case& stored, hw::Timing timing, CaseLevel level) {
  Simulation& simulation = stored.simulation;
  const hw::Program& program = simulation.job().mapping.program;
  Body body{timing, {}, {}};
  if (level == CaseLevel::kRtl) body.implementation = built_in_rtl(program, simulation.chip());
  const ChipRun run = simulation.run(body);
  CaseRun made{{}, run.result.cycles, body.implementation.rtl_engines(), {}};
  if (simulation.task().has_data()) made.result = simulation.result(run);
  collect(run.result.counters, "", made.counters);
  return made;
}

/// How the engines are built that the case uses and that did not run in RTL.
std::vector<std::string> not_built(Simulation& simulation, const std::vector<std::string>& ran) {
  std::vector<std::string> words;
  for (const std::string& engine : all_in_rtl(simulation.job().mapping.program).rtl_engines()) {
    if (std::find(ran.begin(), ran.end(), engine) != ran.end()) continue;
    const hw::RtlDesign design = hw::engines().find(engine)->rtl_design(simulation.chip());
    words.push_back(rtl_build_words(simulation.chip(), design, false));
  }
  return words;
}

double parse_scale(const std::string& path,
                   const std::pair<const std::string, std::string>& entry) {
  char* end = nullptr;
  const double scale = std::strtod(entry.second.c_str(), &end);
  if (end == entry.second.c_str() || *end != '\0' || !std::isfinite(scale) || scale <= 0.0)
    throw InputError(path, "metadata " + in_quotes(entry.first), "expected a scale above zero");
  return scale;
}

/// The golden tensors in the form of a result; empty if there is no file. A tensor whose
/// file does not state its scale has scale 0.
OperatorResult read_golden(const Case& stored) {
  OperatorResult golden;
  const std::string path = path_in(stored, kGolden);
  if (!fs::exists(path)) return golden;
  const SafetensorsFile file = SafetensorsFile::open(path);
  for (const std::string& name : file.names()) {
    const std::string plain =
        name.size() > 2 && name.compare(name.size() - 2, 2, "_q") == 0
            ? name.substr(0, name.size() - 2)
            : throw InputError(path, "tensor " + in_quotes(name), "expected a name ending in _q");
    const auto scale = file.metadata().find(name + ".scale");
    golden.integers[plain] = {file.info(name).shape,
                              file.read_i64(name),
                              scale == file.metadata().end() ? 0.0 : parse_scale(path, *scale),
                              {},
                              false};
  }
  return golden;
}

Counters read_counters(const Case& stored, const std::string& timing) {
  const std::string path = path_in(stored, kCounters);
  if (!fs::exists(path)) return {};
  const Json json = Json::parse(read_bytes(path), nullptr, false);
  if (!json.is_object() || !json.contains(timing) || !json[timing].is_object())
    throw InputError(path, "key '" + timing + "'", "expected an object of counters");
  Counters counters;
  for (const auto& [name, value] : json[timing].items()) counters[name] = value;
  return counters;
}

void compare_tensors(const std::string& expected_name, const OperatorResult& expected,
                     const std::string& level, const OperatorResult& found, CaseVerdict& verdict) {
  for (std::string& line : code_differences(expected_name, expected, level, found))
    verdict.differences.push_back(std::move(line));
  verdict.values += compared_values(expected, found);
}

/// Compares by their values the tensors that have a tolerance. The golden's become the level's
/// own: what a tolerance allows, or has been told, is no difference of codes any more.
void compare_within(const CaseBounds& bounds, const std::string& level, const OperatorResult& found,
                    OperatorResult& golden, CaseVerdict& verdict) {
  for (const auto& [name, max_abs] : bounds.tolerances) {
    const auto expected = golden.integers.find(name);
    const IntegerTensor& tensor = found.integers.at(name);
    if (expected == golden.integers.end() || expected->second.shape != tensor.shape) {
      verdict.differences.push_back(
          fmt::format("tensor '{}_q': no golden of shape {}", name, shape_text(tensor.shape)));
      continue;
    }
    // A golden that was made before the case had a tolerance has no scale of its own.
    const double stated = expected->second.scale;
    const double scale = stated > 0.0 ? stated : tensor.scale;
    std::vector<double> values;
    for (const std::int64_t code : expected->second.codes)
      values.push_back(static_cast<double>(code) * scale);
    ++verdict.bounds;
    if (auto line = value_difference(name, tensor.shape, "golden", values, level,
                                     found.reals.at(name).values, max_abs))
      verdict.differences.push_back(*std::move(line));
    expected->second = tensor;
  }
}

void check_sqnr(Case& stored, const std::string& level, const OperatorResult& found,
                CaseVerdict& verdict) {
  if (!stored.bounds.sqnr_db_at_least) return;
  Simulation& simulation = stored.simulation;
  ++verdict.bounds;
  if (auto line = sqnr_beyond(stored.bounds, level, simulation.task().judged,
                              real_result(simulation.task(), simulation.values()), found))
    verdict.differences.push_back(*std::move(line));
}

/// The integer tensors of the level `fixed`, and the scales that a tolerance needs.
void write_golden(const Case& stored, const OperatorResult& fixed) {
  SafetensorsWriter writer;
  for (const auto& [name, tensor] : fixed.integers) {
    const bool wide = std::any_of(tensor.codes.begin(), tensor.codes.end(), [](std::int64_t code) {
      return code != static_cast<std::int32_t>(code);
    });
    writer.add_integers(name + "_q", wide ? Dtype::kI64 : Dtype::kI32, tensor.shape, tensor.codes);
    if (stored.bounds.tolerances.count(name) != 0)
      writer.set_metadata(name + "_q.scale", fmt::format("{}", tensor.scale));
  }
  writer.write(path_in(stored, kGolden));
}

/// A level's outputs against the goldens, or against the bounds in their place.
void check_outputs(Case& stored, const std::string& level, const OperatorResult& found,
                   CaseVerdict& verdict) {
  const CaseBounds& bounds = stored.bounds;
  // Whatever a bound allows, the levels agree bit for bit.
  const bool bounded = bounds.sqnr_db_at_least || !bounds.tolerances.empty();
  if (bounded && level != kFixedLevel)
    compare_tensors(kFixedLevel, fixed_result(stored), level, found, verdict);
  check_sqnr(stored, level, found, verdict);
  if (!bounds.compare_goldens()) return;
  OperatorResult golden = read_golden(stored);
  compare_within(bounds, level, found, golden, verdict);
  if (!bounds.sqnr_db_at_least) compare_tensors("golden", golden, level, found, verdict);
}

/// A run's counters against the golden ones, without those that a bound takes the place of.
void compare_counters(const CaseBounds& bounds, const std::string& level, const Counters& golden,
                      const Counters& found, CaseVerdict& verdict) {
  const auto differ = [&](const std::string& name, const Json& before, const Json& now) {
    verdict.differences.push_back(
        fmt::format("counter '{}': golden {}, {} {}", name, before.dump(), level, now.dump()));
  };
  const auto bounded = [&](const std::string& name) {
    return bounds.cycles_at_most && tells_time(name);
  };
  if (golden.empty()) {
    verdict.differences.push_back("no golden counters to compare with in " + level);
    return;
  }
  for (const auto& [name, value] : golden) {
    if (bounded(name)) continue;
    const auto now = found.find(name);
    const Json other = now == found.end() ? Json("missing") : now->second;
    ++verdict.counters;
    if (other != value) differ(name, value, other);
  }
  for (const auto& [name, value] : found) {
    if (golden.count(name) == 0 && !bounded(name)) differ(name, Json("missing"), value);
  }
}

void check_cycles(const CaseBounds& bounds, const std::string& level, std::int64_t cycles,
                  CaseVerdict& verdict) {
  if (!bounds.cycles_at_most) return;
  ++verdict.bounds;
  if (auto line = cycles_beyond(bounds, level, cycles))
    verdict.differences.push_back(*std::move(line));
}

}  // namespace

OperatorResult fixed_result(Case& stored) {
  Simulation& simulation = stored.simulation;
  return integer_result(simulation.task(), simulation.quantised(), simulation.fixed().tensors);
}

CaseVerdict check_case(Case& stored, const std::vector<CaseLevel>& levels) {
  CaseVerdict verdict;
  const bool data = stored.simulation.task().has_data();
  const auto check = [&](const std::string& level, const CaseRun& run, const Counters& golden,
                         std::optional<std::int64_t>& cycles) {
    cycles = run.cycles;
    if (data) check_outputs(stored, level, run.result, verdict);
    compare_counters(stored.bounds, level, golden, run.counters, verdict);
    check_cycles(stored.bounds, level, run.cycles, verdict);
  };
  for (const CaseLevel level : levels) {
    if (level == CaseLevel::kFixed) {
      if (data) check_outputs(stored, kFixedLevel, fixed_result(stored), verdict);
    } else if (level == CaseLevel::kSystemc) {
      check("systemc (tile)", run_case(stored, hw::Timing::kTile, level),
            read_counters(stored, "tile"), verdict.tile_cycles);
      check("systemc (beat)", run_case(stored, hw::Timing::kBeat, level),
            read_counters(stored, "beat"), verdict.beat_cycles);
    } else {
      const CaseRun run = run_case(stored, hw::Timing::kBeat, level);
      verdict.not_built = not_built(stored.simulation, run.rtl_engines);
      if (run.rtl_engines.empty()) continue;
      Counters expected = read_counters(stored, "beat");
      for (auto& [name, value] : expected) {
        const auto now = run.counters.find(name);
        if (counts_values(name) && now != run.counters.end() && now->second.is_null()) {
          value = nullptr;
        }
      }
      check("rtl", run, expected, verdict.rtl_cycles);
      verdict.rtl_engines = run.rtl_engines;
    }
  }
  if (verdict.good() && verdict.values + verdict.counters + verdict.bounds == 0 &&
      verdict.not_built.empty())
    verdict.differences.emplace_back("nothing to compare: a case without data has no values");
  return verdict;
}

std::string case_cycles_line(const Case& stored, const CaseVerdict& verdict) {
  if (!verdict.tile_cycles || !verdict.beat_cycles) return "";
  const auto beat = static_cast<double>(*verdict.beat_cycles);
  return fmt::format("{},{},{},{},{},{},{:.3f}\n", stored.name, stored.simulation.chip().name,
                     fmt::join(verdict.rtl_engines, " "), *verdict.tile_cycles,
                     *verdict.beat_cycles,
                     verdict.rtl_cycles ? std::to_string(*verdict.rtl_cycles) : "",
                     100.0 * (static_cast<double>(*verdict.tile_cycles) - beat) / beat);
}

CaseVerdict bless_case(Case& stored) {
  CaseVerdict verdict;
  const bool data = stored.simulation.task().has_data();
  const OperatorResult fixed = data ? fixed_result(stored) : OperatorResult{};
  Json counters = {{"schema_version", 1}};
  for (const auto& [name, timing] :
       {std::pair{"tile", hw::Timing::kTile}, std::pair{"beat", hw::Timing::kBeat}}) {
    const CaseRun run = run_case(stored, timing, CaseLevel::kSystemc);
    const std::string level = fmt::format("systemc ({})", name);
    if (data) compare_tensors(kFixedLevel, fixed, level, run.result, verdict);
    check_cycles(stored.bounds, level, run.cycles, verdict);
    counters[name] = run.counters;
    verdict.counters += run.counters.size();
  }
  if (data) check_sqnr(stored, kFixedLevel, fixed, verdict);
  if (!verdict.good()) return verdict;
  if (data && stored.bounds.compare_goldens()) write_golden(stored, fixed);
  write_file(path_in(stored, kCounters), counters.dump(1) + "\n");
  return verdict;
}

}  // namespace quadrille::app
