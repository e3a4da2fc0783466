#include "app/rtl/rtl_sources.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "hw/engines/rtl/rtl_tables.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {
namespace fs = std::filesystem;

std::string probe_name(const hw::RtlPort& port) { return "u_" + port.prefix + "probe"; }

std::vector<std::string> modules_in(const fs::path& folder) {
  std::error_code error;
  std::vector<std::string> files;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".sv") files.push_back(entry->path().string());
  }
  if (error) throw InputError(folder.string(), "RTL", "cannot be read, expected *.sv");
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

RtlSources rtl_sources(const hw::RtlDesign& design, const std::string& root) {
  const fs::path rtl = fs::path(root) / "rtl";
  RtlSources sources;
  sources.interface = (rtl / "interface").string();
  sources.waivers = {(rtl / design.engine / (design.engine + ".vlt")).string()};
  sources.modules = modules_in(rtl / "prim");
  for (const std::string& file : modules_in(rtl / design.engine)) sources.modules.push_back(file);
  // prim_newton.sv has this one; every engine has prim/ among its sources.
  const std::string seed = "prim_reciprocal_seed";
  sources.generated[seed + ".sv"] = hw::reciprocal_seed_module(seed);
  for (const hw::RtlTable& table : design.tables)
    sources.generated[table.module + ".sv"] = table.text(table.module);
  return sources;
}

std::string bind_probes(const hw::RtlDesign& design) {
  std::string text;
  for (const hw::RtlPort& port : design.ports) {
    const auto pin = [&](const std::string& name) {
      return fmt::format("  .{}({}{})", name, port.prefix, name);
    };
    const auto output = [&](const std::string& name) {
      return port.has_output ? pin(name) : fmt::format("  .{}(1'b0)", name);
    };
    text += fmt::format("bind {} quadrille_probe {} (\n  .clk_i({}),\n  .rst_ni(rst_ni),\n",
                        design.top(), probe_name(port), port.clock);
    for (const char* name :
         {"command_valid_i", "command_ready_o", "input_valid_i", "input_ready_o"})
      text += pin(name) + ",\n";
    text += output("output_valid_o") + ",\n" + output("output_ready_i") + "\n);\n";
  }
  return text;
}

std::string engine_pins_header(const hw::RtlDesign& design, const std::string& key, bool waves) {
  std::string text = fmt::format(
      "// Written by `quadrille rtl build` for rtl/interface/quadrille_rtl.cpp.\n"
      "#define QUADRILLE_RTL_KEY \"{}\"\n#define QUADRILLE_RTL_WAVES {}\n"
      "#define QUADRILLE_RTL_PINS(PIN)",
      key, waves ? 1 : 0);
  for (const std::string& name : hw::pins_of(design)) text += fmt::format(" PIN({})", name);
  text += "\n#define QUADRILLE_RTL_CYCLES(CYCLE)";
  if (waves) {
    for (const hw::RtlPort& port : design.ports) {
      text += fmt::format(" CYCLE({}__DOT__{}__DOT__cycle)", design.top(), probe_name(port));
    }
  }
  return text + "\n";
}

}  // namespace quadrille::app
