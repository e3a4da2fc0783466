#include "app/rtl/rtl_cache.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdlib>
#include <filesystem>

#include "app/config/chip_file.h"
#include "app/files/hash.h"
#include "app/files/shipped.h"
#include "hw/engines.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {
namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string standard_folder() {
  if (const std::string given = variable("QUADRILLE_RTL_CACHE"); !given.empty()) return given;
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  const std::string built = QUADRILLE_BUILD_DIR;
  if (program.string().rfind(built + "/", 0) == 0) return built + "/rtl/cache";
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty())
    return cache + "/quadrille/rtl";
  return variable("HOME") + "/.cache/quadrille/rtl";
}

/// Everything that the library is made from, but the tools.
std::string digest(const CachedRtl& rtl) {
  std::string text = fmt::format("{} {} {}\n", QUADRILLE_RTL_INTERFACE, rtl.design.optimisation,
                                 fmt::join(rtl.design.verilator_options, " "));
  const auto add_file = [&](const std::string& path) {
    text += fmt::format("{}\n{}\n", fs::path(path).filename().string(), read_bytes(path));
  };
  for (const std::string& path : rtl.sources.waivers) add_file(path);
  for (const std::string& path : rtl.sources.modules) add_file(path);
  for (const auto& [name, content] : rtl.sources.generated) text += name + "\n" + content;
  for (const char* name : {"quadrille_rtl.h", "quadrille_rtl.cpp"})
    add_file(rtl.sources.interface + "/" + name);
  if (rtl.waves) add_file(rtl.sources.interface + "/quadrille_probe.sv");
  return fmt::format("{:016x}", fnv1a_64(text));
}

/// The engine's parameters that differ from those of the chip's file, as words of --set.
std::string settings_beyond_file(const hw::ChipConfig& chip, const hw::RtlDesign& design) {
  const hw::EngineEntry* entry = hw::engines().find(design.engine);
  const std::vector<hw::RtlParameter> in_file =
      entry->rtl_design(read_chip_file(chip.file)).parameters;
  std::string words;
  for (std::size_t i = 0; i < design.parameters.size(); ++i) {
    const hw::RtlParameter& wanted = design.parameters[i];
    if (in_file[i].value != wanted.value)
      words += fmt::format(" --set {}={}", wanted.key, wanted.value);
  }
  return words;
}

}  // namespace

bool CachedRtl::built() const {
  std::error_code error;
  return fs::is_regular_file(file, error);
}

std::shared_ptr<const hw::RtlLibrary> CachedRtl::open() const {
  return std::make_shared<hw::RtlLibrary>(file, key);
}

RtlCache::RtlCache() : folder_(standard_folder()) {}

CachedRtl RtlCache::at(const hw::RtlDesign& design, bool waves) const {
  return at(design, rtl_sources(design, shipped_root()), waves);
}

CachedRtl RtlCache::at(const hw::RtlDesign& design, RtlSources sources, bool waves) const {
  CachedRtl rtl{design, std::move(sources), waves, design.engine, ""};
  for (const hw::RtlParameter& parameter : design.parameters)
    rtl.key += fmt::format("-{}{}", parameter.parameter, parameter.value);
  rtl.key += (waves ? "-waves-" : "-") + digest(rtl);
  rtl.file = folder_ + "/" + rtl.key + ".so";
  return rtl;
}

std::string rtl_build_words(const hw::ChipConfig& chip, const hw::RtlDesign& design, bool waves) {
  return fmt::format("-c {} --engine {}{}{}", chip.source(), design.engine,
                     chip.file.empty() ? "" : settings_beyond_file(chip, design),
                     waves ? " --waves" : "");
}

hw::FindRtl find_in_cache(RtlCache cache) {
  return [cache = std::move(cache)](const hw::ChipConfig& chip, const hw::RtlDesign& design,
                                    bool waves) {
    const CachedRtl rtl = cache.at(design, waves);
    if (!rtl.built()) {
      throw RtlNotBuilt(
          chip.source(), design.engine,
          fmt::format("its RTL is not built{} for {}; build it with: quadrille rtl build {}",
                      waves ? " with waveforms" : "", hw::describe(design.parameters),
                      rtl_build_words(chip, design, waves)));
    }
    return rtl.open();
  };
}

hw::RtlBodies or_cached(hw::RtlBodies bodies) {
  if (!bodies.find) bodies.find = find_in_cache();
  return bodies;
}

}  // namespace quadrille::app
