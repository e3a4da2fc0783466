// Words in messages: nearest names and quoting.
#include "app/files/suggest.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace quadrille::app {
namespace {

TEST(EditDistance, KnownPairs) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("abc", ""), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("lnaes", "lanes"), 1u) << "a swap of neighbours costs 1";
  EXPECT_EQ(edit_distance("ab", "ba"), 1u);
  EXPECT_EQ(edit_distance("ca", "abc"), 3u) << "no part is edited twice";
  EXPECT_EQ(edit_distance("rows", "rows"), 0u);
}

TEST(EditDistance, IsSymmetric) {
  const std::vector<std::string> words = {"rows", "cols", "orws", "", "a", "banks", "bnaks_kib"};
  for (const auto& a : words) {
    for (const auto& b : words)
      EXPECT_EQ(edit_distance(a, b), edit_distance(b, a)) << a << ' ' << b;
  }
}

TEST(Suggest, FindsTheNearest) {
  EXPECT_EQ(suggest("lnaes", {"banks", "lanes", "planes"}), "lanes");
  EXPECT_EQ(suggest("softmx", {"damf", "softmax", "sinkhorn"}), "softmax");
  EXPECT_EQ(suggest("Softmax", {"damf", "softmax"}), "softmax");
  EXPECT_EQ(suggest("q", {"K", "Q"}), "Q");
}

TEST(Suggest, IsSilentWhenNothingIsNear) {
  EXPECT_EQ(suggest("lanes", {"clock_mhz", "rows"}), "");
  EXPECT_EQ(suggest("Q", {"K", "V"}), "") << "another letter is another name";
  EXPECT_EQ(suggest("lanes", {}), "");
  EXPECT_EQ(suggest("", {"a", ""}), "");
  EXPECT_EQ(suggest(std::string(1 << 20, 'x'), {std::string(1 << 20, 'y')}), "");
}

TEST(Suggest, TakesTheFirstOfEquals) { EXPECT_EQ(suggest("rowz", {"rows", "rowt"}), "rows"); }

TEST(DidYouMean, IsAPhraseOrNothing) {
  EXPECT_EQ(did_you_mean("lnaes", {"lanes"}), ", did you mean 'lanes'?");
  EXPECT_EQ(did_you_mean("zzzzz", {"lanes"}), "");
}

TEST(Printable, StaysOnOneLine) {
  EXPECT_EQ(printable("plain text"), "plain text");
  EXPECT_EQ(printable("a\nb\tc\rd"), "a\\nb\\tc\\rd");
  EXPECT_EQ(printable("it's"), "it\\'s");
  EXPECT_EQ(printable(std::string("\x01\x7f", 2)), "\\x01\\x7f");
  EXPECT_EQ(printable("\xff\xc3"), "\\xff\\xc3");
  EXPECT_EQ(printable("\u03c6(x)"), "\u03c6(x)");
  EXPECT_EQ(printable("a\u2028b\u0085"), "a\\xe2\\x80\\xa8b\\xc2\\x85");
  EXPECT_EQ(printable("abcdef", 3), "abc...");
  EXPECT_EQ(printable("abc", 3), "abc");
  EXPECT_EQ(in_quotes("x"), "'x'");
}

TEST(ValidUtf8Prefix, StopsAtTheFirstBadByte) {
  EXPECT_EQ(valid_utf8_prefix(""), 0u);
  EXPECT_EQ(valid_utf8_prefix("abc"), 3u);
  EXPECT_EQ(valid_utf8_prefix("\u00e9\u2028\U0001F600"), 9u);
  EXPECT_EQ(valid_utf8_prefix("a\x80"), 1u) << "continuation without a lead";
  EXPECT_EQ(valid_utf8_prefix("a\xc0\xaf"), 1u) << "overlong";
  EXPECT_EQ(valid_utf8_prefix("a\xe0\x80\x80"), 1u) << "overlong";
  EXPECT_EQ(valid_utf8_prefix("a\xed\xa0\x80"), 1u) << "surrogate";
  EXPECT_EQ(valid_utf8_prefix("a\xf4\x90\x80\x80"), 1u) << "beyond U+10FFFF";
  EXPECT_EQ(valid_utf8_prefix("a\xe2\x82"), 1u) << "cut short";
}

}  // namespace
}  // namespace quadrille::app
