// Is a program legal? Replays its commands against the bytes and macros that
// they touch, knowing nothing of the planner that made them.
#pragma once

#include <optional>
#include <string>

#include "hw/chip_config.h"
#include "hw/mapper/mapping.h"

namespace quadrille::testbench {

/// The first fault of a program, in words; none when it is legal.
///
/// What a command touches is read off the command itself: the beats of its
/// engine's streams, the rows of a DMA copy, the macros of a CIM region. One
/// command has ended before another starts if the other depends on it, or is
/// a later command of the same unit, or both over any number of commands in
/// between. Nothing else is assumed about time, so a legal program is right in
/// every timing. A program is legal when
///  - every dependency is an earlier command, and every command is one that its
///    engine takes;
///  - all bytes lie inside the memories, and no beat straddles a word: a beat
///    lies in one word, or begins with a word where its port is wider;
///  - every byte that is read was written before (or is an input's, in DRAM),
///    and its last writer has ended before the reader starts; but gaps between
///    the rows of an input may be fetched with it, and a multiply may read
///    padding of its rows that nobody wrote (it meets weights of zero);
///  - whoever overwrites a byte starts after its writer and all its readers
///    have ended; nobody overwrites an input in DRAM;
///  - no command writes a byte twice, or one that it reads itself;
///  - a multiply finds in its macros, whole, the matrix that it names: the same
///    region, rows, columns, bits and kind (static or dynamic);
///  - tensors in DRAM do not overlap, and every byte of an output is written.
std::optional<std::string> first_plan_fault(const hw::ChipConfig& chip, const hw::Mapping& mapping);

}  // namespace quadrille::testbench
