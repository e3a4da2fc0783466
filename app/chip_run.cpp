#include "app/chip_run.h"

#include <cstring>

#include "hw/chip.h"
#include "hw/simulation_context.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

std::vector<std::uint8_t> to_bytes(const std::vector<std::int64_t>& codes, int width) {
  std::vector<std::uint8_t> bytes;
  for (const std::int64_t code : codes)
    for (int byte = 0; byte < width; ++byte)
      bytes.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(code) >> (8 * byte)));
  return bytes;
}
std::vector<std::int64_t> from_bytes(const std::vector<std::uint8_t>& bytes, int width) {
  std::vector<std::int64_t> codes;
  for (std::size_t at = 0; at < bytes.size(); at += static_cast<std::size_t>(width)) {
    std::uint64_t code = 0;
    for (int byte = 0; byte < width; ++byte)
      code |= static_cast<std::uint64_t>(bytes[at + static_cast<std::size_t>(byte)]) << (8 * byte);
    const int unused = 64 - 8 * width;
    codes.push_back(static_cast<std::int64_t>(code << unused) >> unused);
  }
  return codes;
}

}  // namespace

ChipRun run_on_chip(const hw::ChipConfig& config, const Implementation& implementation,
                    const ChipJob& job, bool data, const hw::RtlBodies& bodies) {
  hw::ChipOptions options;
  options.timing = config.timing;
  options.data = data;
  options.rtl = implementation.rtl;
  options.rtl_bodies = bodies;
  const hw::SimulationContext context;
  hw::Chip chip("chip", config, options);
  chip.load(job.mapping.program, [&](const hw::Bytes& dram) {
    for (const hw::DramTensor& tensor : job.mapping.tensors) {
      if (tensor.role == model::Role::kOutput || tensor.role == model::Role::kValue) continue;
      const auto codes = job.inputs.find(tensor.name);
      if (codes == job.inputs.end())
        throw InvariantError("the mapping asks for a tensor " + tensor.name + " that nobody gave");
      hw::write_tensor(dram, tensor, to_bytes(codes->second, tensor.element_bytes));
    }
  });
  ChipRun run;
  run.result = chip.run(job.expected);
  run.timing = chip.timing();
  if (data) {
    for (const hw::DramTensor& tensor : job.mapping.tensors) {
      if (tensor.role == model::Role::kOutput)
        run.outputs[tensor.name] =
            from_bytes(hw::read_tensor(chip.dram(), tensor), tensor.element_bytes);
    }
  }
  return run;
}

}  // namespace quadrille::app
