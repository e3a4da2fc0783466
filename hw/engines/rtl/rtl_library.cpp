#include "hw/engines/rtl/rtl_library.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "model/errors.h"

namespace quadrille::hw {
namespace {

/// Names of the probes' counters among the pins begin so.
constexpr const char* kCycleCounter = "cycle counter";

}  // namespace

RtlLibrary::RtlLibrary(const std::string& file, const std::string& key)
    : file_(file), handle_(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) {
  const auto fail = [&](const std::string& what) {
    if (handle_ != nullptr) dlclose(handle_);
    throw InputError(file_, "RTL library", what + "; remove it and build it again");
  };
  if (handle_ == nullptr) fail(std::string("cannot be loaded (") + dlerror() + ")");
  using Entry = const quadrille_rtl_library* (*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(handle_, "quadrille_rtl_library_entry"));
  if (entry == nullptr) fail("has no quadrille_rtl_library_entry");
  functions_ = entry();
  if (functions_->interface_version != QUADRILLE_RTL_INTERFACE) {
    fail("speaks interface " + std::to_string(functions_->interface_version) + ", expected " +
         std::to_string(QUADRILLE_RTL_INTERFACE));
  }
  if (functions_->key != key)
    fail("was built for " + std::string(functions_->key) + ", expected " + key);
}

RtlLibrary::~RtlLibrary() { dlclose(handle_); }

std::uint64_t RtlPin::value() const {
  std::uint64_t value = 0;
  std::memcpy(&value, data_, std::min(bytes_, sizeof(value)));
  return value;
}

void RtlPin::set(std::uint64_t value) {
  std::memcpy(data_, &value, std::min(bytes_, sizeof(value)));
}

void RtlPin::from_bytes(const std::uint8_t* bytes, std::size_t count) {
  const std::size_t taken = std::min(count, bytes_);
  std::memcpy(data_, bytes, taken);
  std::memset(data_ + taken, 0, bytes_ - taken);
}

void RtlPin::to_bytes(std::uint8_t* bytes, std::size_t count) const {
  std::memcpy(bytes, data_, std::min(count, bytes_));
}

RtlModel::RtlModel(std::shared_ptr<const RtlLibrary> library, const RtlTrace* trace)
    : library_(std::move(library)), model_(library_->functions().create()) {
  const quadrille_rtl_library& functions = library_->functions();
  std::vector<quadrille_rtl_pin> list(functions.pins(model_, nullptr, 0));
  functions.pins(model_, list.data(), list.size());
  for (const quadrille_rtl_pin& pin : list) {
    if (std::strcmp(pin.name, kCycleCounter) == 0) {
      cycle_counters_.emplace_back(pin.data, pin.bytes);
    } else {
      pins_.emplace(pin.name, RtlPin(pin.data, pin.bytes));
    }
  }
  if (trace == nullptr || trace->file.empty()) return;
  if (functions.has_waves == 0)
    throw InputError(library_->file(), "RTL library", "has no waveforms");
  trace_ = std::make_unique<RtlTrace>(*trace);
  if (functions.open_waves(model_, trace_->file.c_str()) == 0)
    throw InputError(trace_->file, "waveform", "cannot be written");
}

RtlModel::~RtlModel() { library_->functions().destroy(model_); }

RtlPin RtlModel::pin(const std::string& name) const {
  const RtlPin found = optional_pin(name);
  if (!found) throw InvariantError(library_->file() + " has no pin " + name);
  return found;
}

RtlPin RtlModel::optional_pin(const std::string& name) const {
  const auto found = pins_.find(name);
  return found == pins_.end() ? RtlPin() : found->second;
}

void RtlModel::edge(RtlPin& clock) {
  if (shows_) {
    evaluate();
    dump(1);
  }
  clock.set(1);
  evaluate();
  if (shows_) dump(2);
  clock.set(0);
  evaluate();
}

void RtlModel::dump(std::int64_t half_cycles) {
  const std::int64_t cycle = trace_->now();
  const std::int64_t time = 2 * cycle + half_cycles;
  if (cycle < trace_->first_cycle || cycle > trace_->last_cycle || time <= last_time_) return;
  last_time_ = time;
  for (RtlPin& counter : cycle_counters_) counter.set(static_cast<std::uint64_t>(time) / 2);
  library_->functions().dump(model_, static_cast<std::uint64_t>(time));
}

}  // namespace quadrille::hw
