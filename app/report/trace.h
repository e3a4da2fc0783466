// A run's timeline as a trace that https://ui.perfetto.dev opens (Chrome's JSON form).
#pragma once

#include <cstdint>
#include <string>

#include "app/cycle_range.h"
#include "app/report/run_report.h"

namespace quadrille::app {

struct TraceOptions {
  CycleRange cycles;                   ///< Slices and counters lie within.
  std::int64_t most_slices = 200'000;  ///< Of all tracks together.
};

struct Trace {
  std::string json;
  std::int64_t slices_left_out = 0;    ///< Beyond `most_slices`: those that begin last.
  std::int64_t complete_to_cycle = 0;  ///< Up to here none was left out.
};

/// Tracks: every unit's commands and, between them, its waits, named by the resource that
/// the other unit lacked (process "units"); the critical path; every node from its first
/// command to its last. A command's slice has its node, instance, MACs, bytes and
/// stalled cycles by cause as arguments. Counters: bytes per second of the DRAM and the
/// scratchpad, and power, each command's share spread evenly over its cycles; they cover
/// all of the range however many slices were left out. Times are rounded to the
/// nanoseconds that the form's readers keep, edges alike, so that slices neither overlap
/// nor part. `otherData` says what the run was and what was left out.
Trace trace_of(const RunReport& report, const TraceOptions& options);

}  // namespace quadrille::app
