// How far the chip's numbers are from the formulas', per output and per head.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/graph/evaluate.h"
#include "model/graph/quantise.h"

namespace quadrille::app {

/// Values against those of the level `float`.
struct ErrorFigures {
  /// None: no error at all, or (max_abs above 0) nothing but zeros expected.
  std::optional<double> sqnr_db;
  double max_abs = 0.0;
};

/// Figures of `found` against `expected`, of the same length. InvariantError for what is
/// not finite: the levels refuse to make it, and no figure may read as exact that compared
/// nothing.
ErrorFigures error_figures(const std::vector<double>& expected, const std::vector<double>& found);

/// The output of one instance of an attention node.
struct HeadError {
  std::string node;
  int batch = 0;
  int head = 0;
  ErrorFigures figures;
};

/// Holds the level `fixed` (whose bits a checked run has) against the level `float`, for every
/// instance of every attention in the graph that has a real-valued output.
std::vector<HeadError> head_errors(const model::Graph& graph, const model::Values& expected,
                                   const model::Quantised& quantised,
                                   const model::ByteTensors& fixed);

/// What the graph's attentions compute at the level `float`, as one formula each, without
/// repeats: an error says nothing about another formula. "X W" without attention.
std::string formula_of(const model::Graph& graph);

}  // namespace quadrille::app
