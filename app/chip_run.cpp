#include "app/chip_run.h"

#include <cstring>

#include "hw/chip.h"
#include "hw/simulation_context.h"
#include "model/errors.h"

namespace quadrille::app {
namespace {

std::size_t elements(const hw::DramTensor& tensor) {
  return static_cast<std::size_t>(tensor.rows * tensor.row_elements);
}

std::uint64_t row_address(const hw::DramTensor& tensor, std::int64_t row) {
  return tensor.address + static_cast<std::uint64_t>(row * tensor.pitch_bytes);
}

void write_tensor(const hw::Bytes& dram, const hw::DramTensor& tensor,
                  const std::vector<std::int64_t>& codes) {
  if (codes.size() != elements(tensor)) {
    throw InvariantError("tensor " + tensor.name + ": " + std::to_string(codes.size()) +
                         " codes, the mapping has room for " + std::to_string(elements(tensor)));
  }
  const auto width = static_cast<std::uint64_t>(tensor.element_bytes);
  std::size_t next = 0;
  for (std::int64_t row = 0; row < tensor.rows; ++row) {
    std::uint8_t* to =
        dram.at(row_address(tensor, row), static_cast<std::uint64_t>(tensor.row_elements) * width);
    for (std::int64_t i = 0; i < tensor.row_elements; ++i, to += width) {
      const auto code = static_cast<std::uint64_t>(codes[next++]);
      for (std::uint64_t byte = 0; byte < width; ++byte)
        to[byte] = static_cast<std::uint8_t>(code >> (8 * byte));
    }
  }
}

std::vector<std::int64_t> read_tensor(const hw::Bytes& dram, const hw::DramTensor& tensor) {
  const auto width = static_cast<std::uint64_t>(tensor.element_bytes);
  std::vector<std::int64_t> codes;
  codes.reserve(elements(tensor));
  for (std::int64_t row = 0; row < tensor.rows; ++row) {
    const std::uint8_t* from =
        dram.at(row_address(tensor, row), static_cast<std::uint64_t>(tensor.row_elements) * width);
    for (std::int64_t i = 0; i < tensor.row_elements; ++i, from += width) {
      std::uint64_t code = 0;
      for (std::uint64_t byte = 0; byte < width; ++byte)
        code |= static_cast<std::uint64_t>(from[byte]) << (8 * byte);
      const int unused = static_cast<int>(64 - 8 * width);
      codes.push_back(static_cast<std::int64_t>(code << unused) >> unused);
    }
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
      if (tensor.output) continue;
      const auto codes = job.inputs.find(tensor.name);
      if (codes == job.inputs.end())
        throw InvariantError("the mapping asks for a tensor " + tensor.name + " that nobody gave");
      write_tensor(dram, tensor, codes->second);
    }
  });
  ChipRun run;
  run.result = chip.run(job.expected);
  run.timing = chip.timing();
  if (data) {
    for (const hw::DramTensor& tensor : job.mapping.tensors) {
      if (tensor.output) run.outputs[tensor.name] = read_tensor(chip.dram(), tensor);
    }
  }
  return run;
}

}  // namespace quadrille::app
