// Decides, for one set of choices, where every tensor of a graph is to lie.
#pragma once

#include "hw/mapper/choices.h"
#include "hw/mapper/workspace.h"

namespace quadrille::hw {

/// Fills the workspace's homes: grids of the attentions' tensors, places, numbers
/// of reads, strides between heads.
void place_tensors(Workspace& workspace, const Choices& choices);

}  // namespace quadrille::hw
