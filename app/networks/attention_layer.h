// A multi-head attention layer as a graph: the nodes query, key, value,
// attention and output (for DAMF scalars, value, attention and output) over the
// tensors X WQ WK WV WO u v and out, with Q K V (or st and V) and attention
// between them. Y is there with keys of another sequence, g0 and f0 with a warm
// start, RP with relative positions.
#pragma once

#include <string>

#include "app/config/workload.h"
#include "app/networks/task.h"

namespace quadrille::app {

/// The layer of a workload; `path` is the workload file, which messages name.
/// Random data are X ~ N(0, 1), W ~ N(0, 1/d) and N(0, 1/(H h)), drawn in the order
/// X WQ WK WV WO, then what else the layer has: Y ~ N(0, 1), c0 and r0 = exp of
/// N(0, 1), RP ~ N(0, 1). Of trained data the layer is a block's attention in the
/// network of gpt2.h. Without `data` no values are read; `values_follow` says that
/// the run will have them, so that a tolerance stop needs no assumption. InputError
/// for settings that do not go together and files that do not fit the workload.
Task attention_layer_task(const std::string& path, const AttentionLayerWorkload& layer, bool data,
                          bool values_follow = false);

/// What a layer's graph has to know of its numbers.
struct LayerConstants {
  std::vector<double> sigma;  ///< DAMF, per head; empty: 1.
  int horizon = -1;           ///< Relative positions; -1: none.
  bool positions_per_head = false;
};

/// Adds the layer's nodes and tensors to a graph, their names behind `prefix`,
/// with the tensor `x` as X. Returns the output.
model::TensorId add_attention_layer(model::Graph& graph, const AttentionLayerWorkload& layer,
                                    const LayerConstants& constants, const std::string& prefix,
                                    model::TensorId x);

/// The graph of a layer alone, with the task's outputs and the workload's scales,
/// but without values.
Task layer_without_values(const std::string& path, const AttentionLayerWorkload& layer,
                          const LayerConstants& constants);

/// The rank-one form of the heads' M = WQ WK^T, offline: one triple per head, of
/// weights [width, heads * head_width].
std::vector<model::SingularTriple> fuse_heads(const std::vector<double>& wq,
                                              const std::vector<double>& wk,
                                              const AttentionLayerWorkload& layer);

/// `count` columns of a row-major matrix from column `first` on.
std::vector<double> columns_of(const std::vector<double>& matrix, std::size_t row_width,
                               std::size_t first, std::size_t count);

}  // namespace quadrille::app
