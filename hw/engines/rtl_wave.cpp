#include "hw/engines/rtl_wave.h"

#include <verilated_fst_c.h>

#include <utility>

#include "model/errors.h"

namespace quadrille::hw {

RtlWave::RtlWave(RtlTrace trace)
    : trace_(std::move(trace)), fst_(std::make_unique<VerilatedFstC>()) {}

RtlWave::~RtlWave() { fst_->close(); }

void RtlWave::open() {
  if (trace_.file.empty()) return;
  fst_->open(trace_.file.c_str());
  if (!fst_->isOpen()) throw InputError(trace_.file, "waveform", "cannot be written");
}

void RtlWave::dump(std::int64_t half_cycles) {
  if (trace_.file.empty()) return;
  const std::int64_t cycle = trace_.now();
  const std::int64_t time = 2 * cycle + half_cycles;
  if (cycle < trace_.first_cycle || cycle > trace_.last_cycle || time <= last_time_) return;
  last_time_ = time;
  fst_->dump(static_cast<std::uint64_t>(time));
}

}  // namespace quadrille::hw
