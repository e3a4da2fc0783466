#include "app/commands/rtl.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <filesystem>

#include "app/commands/command_line.h"
#include "app/config/chip_file.h"
#include "app/config/overrides.h"
#include "app/files/atomic_file.h"
#include "app/files/shipped.h"
#include "app/files/suggest.h"
#include "app/rtl/rtl_build.h"
#include "hw/engines.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

struct Wanted {
  hw::ChipConfig chip;
  std::vector<CachedRtl> libraries;
};

Wanted wanted(const RtlOptions& options) {
  const std::vector<std::string> names = hw::engines().names_in_rtl();
  for (const std::string& engine : options.engines) {
    if (std::find(names.begin(), names.end(), engine) == names.end()) {
      throw InputError(
          "--engine", in_quotes(engine),
          fmt::format("expected one of {}{}", fmt::join(names, ", "), did_you_mean(engine, names)));
    }
  }
  Wanted wanted{resolve(parse_chip_file(find_file("--chip", "chips", options.chip),
                                        parse_overrides(options.settings).chip)),
                {}};
  const RtlCache cache;
  for (const std::string& engine : options.engines.empty() ? names : options.engines) {
    wanted.libraries.push_back(
        cache.at(hw::engines().find(engine)->rtl_design(wanted.chip), options.waves));
  }
  return wanted;
}

/// What other tools need: a file list (ENGINE.f), top module, parameters and key
/// (ENGINE.point), the header for rtl/interface (ENGINE_pins.h).
void write_sources(const CachedRtl& rtl, const std::string& folder) {
  std::vector<std::string> files = rtl.sources.waivers;
  files.insert(files.end(), rtl.sources.modules.begin(), rtl.sources.modules.end());
  for (const auto& [name, text] : rtl.sources.generated) {
    const std::string path = std::filesystem::absolute(folder).string() + "/" + name;
    write_file(path, text);
    files.push_back(path);
  }
  write_file(fmt::format("{}/{}.f", folder, rtl.design.engine),
             fmt::format("{}\n", fmt::join(files, "\n")));
  std::vector<std::string> parameters;
  for (const hw::RtlParameter& parameter : rtl.design.parameters)
    parameters.push_back(fmt::format("{}={}", parameter.parameter, parameter.value));
  write_file(fmt::format("{}/{}.point", folder, rtl.design.engine),
             fmt::format("{} {} {}\n", rtl.design.top(), fmt::join(parameters, ";"), rtl.key));
  write_file(fmt::format("{}/{}_pins.h", folder, rtl.design.engine),
             engine_pins_header(rtl.design, rtl.key, rtl.waves));
}

}  // namespace

int rtl_build_command(const RtlOptions& options) {
  const Wanted chip = wanted(options);
  for (const CachedRtl& rtl : chip.libraries) require_rtl_limits(rtl.design, chip.chip.source());
  for (const CachedRtl& rtl : chip.libraries) {
    fmt::print("{}: {} ...", rtl.design.engine, hw::describe(rtl.design.parameters));
    std::fflush(stdout);
    const auto started = std::chrono::steady_clock::now();
    const RtlBuild done = build_rtl(rtl, chip.chip.source());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
    fmt::print("{}\n", done == RtlBuild::kThere ? " is there"
                                                : fmt::format(" built in {:.1f} s", took.count()));
  }
  return kGood;
}

int rtl_list_command(const RtlOptions& options) {
  const Wanted chip = wanted(options);
  if (!options.sources.empty()) std::filesystem::create_directories(options.sources);
  for (const CachedRtl& rtl : chip.libraries) {
    fmt::print("{}: {}\n", rtl.design.engine, hw::describe(rtl.design.parameters));
    if (rtl.built()) {
      fmt::print("  {} ({})\n", rtl.file, rtl_tools_of(rtl));
    } else {
      fmt::print("  not built: quadrille rtl build {}\n",
                 rtl_build_words(chip.chip, rtl.design, rtl.waves));
    }
    if (!options.sources.empty()) write_sources(rtl, options.sources);
  }
  return kGood;
}

int rtl_lint_command(const RtlOptions& options) {
  const Wanted chip = wanted(options);
  for (const CachedRtl& rtl : chip.libraries) {
    lint_rtl(rtl, chip.chip.source());
    fmt::print("{}: no finding at {}\n", rtl.design.engine, hw::describe(rtl.design.parameters));
  }
  return kGood;
}

}  // namespace quadrille::app
