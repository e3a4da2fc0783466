// Words of the user, quoted in messages, and the nearest known word.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace quadrille::app {

/// `text` for a message that must stay one line: control characters, quotes and
/// backslashes are escaped, bytes that are not UTF-8 are shown as \xNN, and what
/// exceeds `max_length` characters is replaced by "...". No quotes are added.
std::string printable(std::string_view text, std::size_t max_length = 80);

/// printable(text) between single quotes.
std::string in_quotes(std::string_view text, std::size_t max_length = 80);

/// Damerau-Levenshtein distance: insertions, deletions, substitutions and
/// swaps of two neighbours, each costing 1 (optimal string alignment: no part
/// is edited twice). O(|a|·|b|) time, O(|b|) memory; case counts.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `name`, or "" if none is near. Near means that
/// only the case differs, or that the edit distance is at most a third of the
/// longer of the two (so names of one and two letters are never near another).
/// Of equally near candidates the first is taken.
std::string suggest(std::string_view name, const std::vector<std::string>& candidates);

/// ", did you mean 'X'?" with X = suggest(name, candidates), or "".
std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

/// Length in bytes of the longest prefix of `text` that is well-formed UTF-8
/// (no overlong forms, no surrogates, at most U+10FFFF).
std::size_t valid_utf8_prefix(std::string_view text);

}  // namespace quadrille::app
