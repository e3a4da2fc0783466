#include "hw/engines/rtl/rtl_design.h"

#include <algorithm>

namespace quadrille::hw {

std::vector<std::string> pins_of(const RtlPort& port) {
  std::vector<std::string> names = {"command_valid_i", "command_ready_o", "command_i",
                                    "input_valid_i",   "input_ready_o",   "input_data_i"};
  if (port.has_output) {
    for (const char* name : {"output_valid_o", "output_ready_i", "output_data_o", "output_bytes_o"})
      names.emplace_back(name);
  }
  for (std::string& name : names) name = port.prefix + name;
  return names;
}

std::vector<std::string> pins_of(const RtlDesign& design) {
  std::vector<std::string> names = {"rst_ni"};
  const auto add = [&](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const RtlPort& port : design.ports) {
    add(port.clock);
    for (const std::string& name : pins_of(port)) add(name);
  }
  for (const std::string& name : design.more_pins) add(name);
  return names;
}

std::string describe(const std::vector<RtlParameter>& parameters) {
  std::string text;
  for (const RtlParameter& parameter : parameters) {
    text += (text.empty() ? "" : ", ") + parameter.key + " " + std::to_string(parameter.value);
  }
  return text;
}

}  // namespace quadrille::hw
