#include "app/chip_run.h"

#include <memory>

#include "app/rtl/rtl_cache.h"
#include "hw/chip.h"
#include "hw/memory/sparse_bytes.h"
#include "hw/simulation_context.h"
#include "model/errors.h"
#include "model/graph/work.h"

namespace quadrille::app {
namespace {

bool filled_by_user(const hw::DramTensor& tensor) {
  return tensor.role != model::Role::kOutput && tensor.role != model::Role::kValue;
}

void write_inputs(const ChipJob& job, const model::ByteTensors& inputs, const hw::Bytes& dram) {
  const std::vector<hw::DramTensor>& tensors = job.mapping.tensors;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (!filled_by_user(tensors[i])) continue;
    const auto id = static_cast<std::size_t>(job.ids[i]);
    if (job.ids[i] == model::kAbsent || id >= inputs.size())
      throw InvariantError("the mapping asks for a tensor " + tensors[i].name + " of no graph");
    hw::write_tensor(dram, tensors[i], inputs[id]);
  }
}

model::ByteTensors read_outputs(const ChipJob& job, std::size_t count, const hw::Bytes& dram) {
  model::ByteTensors outputs(count);
  const std::vector<hw::DramTensor>& tensors = job.mapping.tensors;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].role == model::Role::kOutput)
      outputs[static_cast<std::size_t>(job.ids[i])] = hw::read_tensor(dram, tensors[i]);
  }
  return outputs;
}

std::unique_ptr<hw::Chip> make_chip(const hw::ChipConfig& config, const hw::ChipOptions& options) {
  try {
    return std::make_unique<hw::Chip>("chip", config, options);
  } catch (const hw::NoAddressSpace& memory) {
    const bool dram = memory.bytes == static_cast<std::uint64_t>(config.dram.capacity_bytes);
    throw InputError(config.source(), dram ? "dram.capacity_mib" : "scratchpad.capacity_kib",
                     std::to_string(memory.bytes) +
                         " bytes are more address space than this process may reserve, expected "
                         "a smaller memory (--set dram.capacity_mib=64) or a higher limit "
                         "(ulimit -v)");
  }
}

}  // namespace

ChipJob make_job(const hw::ChipConfig& chip, const model::IntegerGraph& graph) {
  ChipJob job;
  job.mapping = hw::lower(chip, graph);
  for (const hw::DramTensor& tensor : job.mapping.tensors)
    job.ids.push_back(graph.graph.find(tensor.name));
  if (const auto work = model::work(graph.graph, {chip.linear.chunk_tokens, chip.linear.lanes}))
    job.expected = hw::ExpectedWork{work->macs_static, work->macs_dynamic};
  return job;
}

ChipRun run_on_chip(const hw::ChipConfig& config, const Body& body, const ChipJob& job,
                    const model::ByteTensors* inputs) {
  hw::ChipOptions options;
  options.timing = body.timing;
  options.data = inputs != nullptr;
  options.rtl = body.implementation.rtl;
  options.rtl_bodies = or_cached(body.rtl);
  const hw::SimulationContext context;
  const std::unique_ptr<hw::Chip> made = make_chip(config, options);
  hw::Chip& chip = *made;
  chip.load(job.mapping.program, [&](const hw::Bytes& dram) { write_inputs(job, *inputs, dram); });
  ChipRun run;
  run.timing = chip.timing();
  try {
    run.result = chip.run(job.expected);
  } catch (const hw::PinsDiffer& found) {
    run.pins = found.difference;
    return run;
  }
  if (inputs != nullptr) run.outputs = read_outputs(job, inputs->size(), chip.dram());
  return run;
}

}  // namespace quadrille::app
