#include "app/files/suggest.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace quadrille::app {
namespace {

// Longer words are not compared: nobody mistypes them, and the distance is
// quadratic.
constexpr std::size_t kLongestWord = 200;

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

/// Bytes of the well-formed UTF-8 character at the start of `text`; 0 if there
/// is none.
std::size_t utf8_character(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  std::size_t length = 0;
  unsigned second_min = 0x80;
  unsigned second_max = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) second_min = 0xA0;
    if (lead == 0xED) second_max = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) second_min = 0x90;
    if (lead == 0xF4) second_max = 0x8F;
  } else {
    return 0;
  }
  if (text.size() < length || byte(1) < second_min || byte(1) > second_max) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  }
  return length;
}

}  // namespace

std::size_t valid_utf8_prefix(std::string_view text) {
  std::size_t valid = 0;
  while (valid < text.size()) {
    const std::size_t length = utf8_character(text.substr(valid));
    if (length == 0) break;
    valid += length;
  }
  return valid;
}

std::string printable(std::string_view text, std::size_t max_length) {
  std::string out;
  std::size_t shown = 0;
  for (std::size_t i = 0; i < text.size();) {
    if (shown++ == max_length) return out + "...";
    const std::size_t length = utf8_character(text.substr(i));
    const auto c = static_cast<unsigned char>(text[i]);
    // U+0080..U+009F and U+2028/2029 break lines on some terminals.
    const bool breaks =
        (length == 2 && c == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0) ||
        (length == 3 && (text.substr(i, 3) == "\u2028" || text.substr(i, 3) == "\u2029"));
    if (length == 0 || c < 0x20 || c == 0x7F || breaks) {
      if (c == '\n') {
        out += "\\n";
      } else if (c == '\t') {
        out += "\\t";
      } else if (c == '\r') {
        out += "\\r";
      } else {
        for (std::size_t k = 0; k < std::max<std::size_t>(length, 1); ++k) {
          out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i + k]));
        }
      }
      i += std::max<std::size_t>(length, 1);
      continue;
    }
    if (c == '\'' || c == '\\') out += '\\';
    out.append(text.substr(i, length));
    i += length;
  }
  return out;
}

std::string in_quotes(std::string_view text, std::size_t max_length) {
  return "'" + printable(text, max_length) + "'";
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1);
  std::vector<std::size_t> last(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before_last, last);
    std::swap(last, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, substitution});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before_last[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

std::string suggest(std::string_view name, const std::vector<std::string>& candidates) {
  if (name.size() > kLongestWord) return "";
  const std::string wanted = lower_case(name);
  const std::string* best = nullptr;
  std::size_t best_distance = std::numeric_limits<std::size_t>::max();
  for (const std::string& candidate : candidates) {
    if (candidate.empty() || candidate.size() > kLongestWord || candidate == name) continue;
    const std::size_t longer = std::max(name.size(), candidate.size());
    const std::size_t shorter = std::min(name.size(), candidate.size());
    const std::size_t limit = longer / 3;
    if (longer - shorter > limit) continue;
    const std::size_t distance = edit_distance(wanted, lower_case(candidate));
    if (distance <= limit && distance < best_distance) {
      best = &candidate;
      best_distance = distance;
    }
  }
  return best == nullptr ? "" : *best;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates) {
  const std::string nearest = suggest(name, candidates);
  return nearest.empty() ? "" : ", did you mean " + in_quotes(nearest) + "?";
}

}  // namespace quadrille::app
