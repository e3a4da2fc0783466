// A multi-head attention layer as a graph: the nodes query, key, value,
// attention and output (for DAMF scalars, value, attention and output) over the
// tensors X WQ WK WV WO u v and out, with Q K V and attention between them.
#pragma once

#include <string>

#include "app/config/workload.h"
#include "app/networks/task.h"

namespace quadrille::app {

/// The layer of a workload; `path` is the workload file, which messages name.
/// Random data are X ~ N(0, 1), W ~ N(0, 1/d) and N(0, 1/(H h)), drawn in the order
/// X WQ WK WV WO, then what else the layer has: Y c0 r0 RP. Trained data are a
/// block's attention inside the network of gpt2.h. Without `data` no file's values
/// are read. InputError for files that do not fit the workload.
Task attention_layer_task(const std::string& path, const AttentionLayerWorkload& layer, bool data);

/// Adds the layer's nodes and tensors to a graph, their names behind `prefix`,
/// with the tensor `x` as X (and as Y). Returns the output's id. Of DAMF, sigma
/// per head goes to the node as it is given; empty: 1.
model::TensorId add_attention_layer(model::Graph& graph, const AttentionLayerWorkload& layer,
                                    const std::string& prefix, model::TensorId x,
                                    const std::vector<double>& sigma);

}  // namespace quadrille::app
