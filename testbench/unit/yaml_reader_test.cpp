// The strict YAML reader: what it accepts, and the one line it gives otherwise.
#include "app/files/yaml_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "model/errors.h"
#include "testbench/common/temporary_folder.h"

namespace quadrille::app {
namespace {

using testbench::TemporaryFolder;
using testing::ElementsAre;
using testing::HasSubstr;

YamlNode parse(const std::string& text) { return parse_yaml(text, "chips/foo.yaml"); }

template <typename F>
std::string input_error(F&& action) {
  try {
    action();
  } catch (const InputError& error) {
    const std::string line = error.what();
    EXPECT_EQ(line.find('\n'), std::string::npos) << line;
    return line;
  }
  return "no InputError";
}

std::string refusal(const std::string& text) {
  return input_error([&] { parse(text); });
}

const char* const kChip = R"(# a chip
name: "tiny chip"
clock_mhz: 500
cim:
  rows: 256
  write_while_compute: true
  utilisation: 7.5e-1
engines: [cim, damf]
layers:
  - kind: attention
    heads: 12
  - kind: norm
)";

TEST(YamlReader, ReadsEveryKindOfValue) {
  const YamlNode root = parse(kChip);
  EXPECT_EQ(root.text("name"), "tiny chip");
  EXPECT_EQ(root.number("clock_mhz", 1, 10000), 500.0);
  const YamlNode cim = root.child("cim");
  EXPECT_EQ(cim.integer("rows", 1, 4096), 256);
  EXPECT_TRUE(cim.boolean("write_while_compute"));
  EXPECT_EQ(cim.number("utilisation", 0, 1), 0.75);
  EXPECT_EQ(cim.path(), "cim");
  EXPECT_EQ(cim.line(), 5);
  EXPECT_EQ(cim.column(), 3);
  EXPECT_EQ(root.required<std::vector<std::string>>("engines"),
            (std::vector<std::string>{"cim", "damf"}));
  const std::vector<YamlNode> layers = root.sequence("layers");
  ASSERT_EQ(layers.size(), 2u);
  EXPECT_EQ(layers[0].text("kind", {"attention", "norm"}), "attention");
  EXPECT_EQ(layers[0].integer("heads", 1, 64), 12);
  EXPECT_EQ(layers[1].path(), "layers[1]");
  EXPECT_EQ(layers[1].text("kind"), "norm");
  EXPECT_THAT(root.keys(), ElementsAre("name", "clock_mhz", "cim", "engines", "layers"));
  EXPECT_NO_THROW(root.finish());
}

TEST(YamlReader, GivesTypedValuesAndDefaults) {
  const YamlNode root = parse("a: 7\nb: 0.5\nc: false\nd: word\ne: [1, -2]\nf: [[1], [2, 3]]\n");
  EXPECT_EQ(root.required<int>("a"), 7);
  EXPECT_EQ(root.required<std::int64_t>("a"), 7);
  EXPECT_EQ(root.required<double>("a"), 7.0);
  EXPECT_EQ(root.required<double>("b"), 0.5);
  EXPECT_FALSE(root.required<bool>("c"));
  EXPECT_EQ(root.required<std::string>("d"), "word");
  EXPECT_EQ(root.required<std::vector<int>>("e"), (std::vector<int>{1, -2}));
  EXPECT_EQ(root.required<std::vector<std::vector<double>>>("f"),
            (std::vector<std::vector<double>>{{1}, {2, 3}}));
  EXPECT_EQ(root.optional<int>("a", 1), 7);
  EXPECT_EQ(root.optional<int>("z", 1), 1);
  EXPECT_EQ(root.optional<std::string>("y", "none"), "none");
  EXPECT_EQ(root.integer("x", 0, 9, 4), 4);
  EXPECT_EQ(root.integer("a", 0, 9, 4), 7);
  EXPECT_EQ(root.number("x", 0, 9, 4.5), 4.5);
  EXPECT_TRUE(root.boolean("x", true));
  EXPECT_FALSE(root.boolean("c", true));
  EXPECT_EQ(root.text("x", {"up", "down"}, "up"), "up");
  EXPECT_TRUE(root.has("a"));
  EXPECT_FALSE(root.has("x"));
  EXPECT_FALSE(root.optional_child("x").has_value());
  EXPECT_THAT(input_error([&] { root.required<int>("b"); }), HasSubstr("expected an integer"));
  EXPECT_THAT(input_error([&] { parse("a: 3000000000").required<int>("a"); }),
              HasSubstr("expected an integer in -2147483648..2147483647, found '3000000000'"));
}

TEST(YamlReader, NamesFilePlaceAndExpectation) {
  const auto rows = [](const std::string& value) {
    return input_error(
        [&] { parse("cim:\n  rows: " + value).child("cim").integer("rows", 1, 4096); });
  };
  const std::string place = "chips/foo.yaml: line 2:9, cim.rows: expected an integer in 1..4096";
  EXPECT_EQ(rows("zero"), place + ", found 'zero'");
  EXPECT_EQ(rows("0"), place + ", found '0'");
  EXPECT_EQ(rows("4097"), place + ", found '4097'");
  EXPECT_EQ(rows("1.5"), place + ", found '1.5'");
  EXPECT_EQ(rows("12x"), place + ", found '12x'");
  EXPECT_EQ(rows("99999999999999999999"), place + ", found '99999999999999999999'");
  EXPECT_EQ(rows("'12'"), place + ", found the text '12'");
  EXPECT_EQ(rows("[1]"), place + ", found a sequence");
  EXPECT_EQ(rows("{a: 1}"), place + ", found a map");
  EXPECT_EQ(rows("\"two\\nlines\""), place + ", found the text 'two\\nlines'");
  EXPECT_EQ(rows("1"), "no InputError");
  EXPECT_EQ(rows("4096"), "no InputError");
}

TEST(YamlReader, RefusesAKeyWithoutAValue) {
  for (const char* nothing : {"", "~", "null"}) {
    const YamlNode root = parse("a: 1\nrows: " + std::string(nothing) + "\nb: 2\n");
    EXPECT_EQ(input_error([&] { root.integer("rows", 1, 9, 5); }),
              "chips/foo.yaml: line 2:1, rows: expected an integer in 1..9, found nothing");
    EXPECT_TRUE(root.child("rows").is_null());
  }
}

TEST(YamlReader, ChecksNumbers) {
  const auto number = [](const std::string& value) {
    return input_error([&] { parse("x: " + value).number("x", 0.5, 2e9); });
  };
  EXPECT_EQ(number("0.5"), "no InputError");
  EXPECT_EQ(number("2e9"), "no InputError");
  EXPECT_THAT(number("0.49"),
              HasSubstr("line 1:4, x: expected a number in 0.5..2e+09, found '0.49'"));
  for (const char* bad : {"nan", ".nan", "inf", ".inf", "1e999", "0x10", "1_000", "1,5", "'1'"}) {
    EXPECT_THAT(number(bad), HasSubstr("expected a number in")) << bad;
  }
}

TEST(YamlReader, ChecksBooleansAndWords) {
  const YamlNode root = parse("a: yes\nb: 'true'\nc: globl\nd: [x]\ne: 3\n");
  EXPECT_THAT(input_error([&] { root.boolean("a"); }),
              HasSubstr("line 1:4, a: expected true or false, found 'yes'"));
  EXPECT_THAT(input_error([&] { root.boolean("b"); }), HasSubstr("found the text 'true'"));
  EXPECT_THAT(input_error([&] {
                root.text("c", {"global", "row"});
              }),
              HasSubstr("expected one of 'global', 'row', found 'globl', did you mean 'global'?"));
  EXPECT_THAT(input_error([&] {
                root.text("d", {"global", "row"});
              }),
              HasSubstr("found a sequence"));
  EXPECT_THAT(input_error([&] { root.text("d"); }), HasSubstr("expected text, found a sequence"));
  EXPECT_EQ(root.text("e"), "3");
}

TEST(YamlReader, ChecksTheKindOfNode) {
  const YamlNode root = parse("a: 1\nb: [1, two]\n");
  EXPECT_THAT(input_error([&] { root.child("a").child("x"); }),
              HasSubstr("line 1:4, a: expected a map, found '1'"));
  EXPECT_THAT(input_error([&] { root.sequence("a"); }),
              HasSubstr("a: expected a sequence, found '1'"));
  EXPECT_THAT(input_error([&] { root.items(); }),
              HasSubstr("line 1:1: expected a sequence, found a map"));
  EXPECT_THAT(input_error([&] { root.required<std::vector<int>>("b"); }),
              HasSubstr("line 2:8, b[1]: expected an integer"));
  EXPECT_THROW(root.child("b").at(2), InvariantError);
  EXPECT_THAT(input_error([] { parse("- 1\n").integer("a", 0, 1); }),
              HasSubstr("line 1:1: expected a map, found a sequence"));
  EXPECT_THAT(input_error([] { parse("word\n").keys(); }),
              HasSubstr("expected a map, found 'word'"));
}

TEST(YamlReader, RefusesUnknownKeys) {
  const YamlNode root = parse("softmax:\n  lanes: 4\n  colour: red\n");
  const YamlNode softmax = root.child("softmax");
  softmax.integer("lanes", 1, 64);
  softmax.integer("max_keys", 1, 64, 8);
  EXPECT_EQ(
      input_error([&] { root.finish(); }),
      "chips/foo.yaml: line 3:3, softmax: unknown key 'colour', expected one of lanes, max_keys");
  EXPECT_EQ(input_error([&] { softmax.finish(); }), input_error([&] { root.finish(); }));

  const YamlNode typo = parse("lnaes: 4\n");
  typo.integer("lanes", 1, 64, 8);
  EXPECT_EQ(input_error([&] { typo.finish(); }),
            "chips/foo.yaml: line 1:1: unknown key 'lnaes', did you mean 'lanes'?");

  const YamlNode unread = parse("list:\n  - a: 1\n    b: 2\n");
  for (const YamlNode& item : unread.sequence("list")) item.integer("a", 0, 9);
  EXPECT_THAT(input_error([&] { unread.finish(); }),
              HasSubstr("line 3:5, list[0]: unknown key 'b'"));

  const YamlNode opaque = parse("a: {b: 1}\n");
  opaque.child("a");
  EXPECT_THAT(input_error([&] { opaque.finish(); }),
              HasSubstr("a: unknown key 'b', expected no key here"));
}

TEST(YamlReader, HasDoesNotConsume) {
  const YamlNode root = parse("a: 1\n");
  EXPECT_TRUE(root.has("a"));
  EXPECT_THAT(input_error([&] { root.finish(); }), HasSubstr("unknown key 'a'"));
  root.integer("a", 0, 1);
  EXPECT_TRUE(root.has("a"));
  EXPECT_NO_THROW(root.finish());
}

TEST(YamlReader, NamesTheMissingKey) {
  EXPECT_EQ(input_error([] { parse("cim:\n  cols: 4\n").child("cim").integer("banks", 1, 9); }),
            "chips/foo.yaml: line 2:3, cim: expected the key 'banks'");
  EXPECT_EQ(input_error([] { parse("cols: 4\nlnaes: 4\n").integer("lanes", 1, 9); }),
            "chips/foo.yaml: line 1:1: expected the key 'lanes'; line 2 has 'lnaes', did you mean "
            "'lanes'?");
  EXPECT_EQ(input_error([] { parse("clock_ghz: 1\n").number("clock_mhz", 1, 9); }),
            "chips/foo.yaml: line 1:1: expected the key 'clock_mhz' (the unit is mhz); line 1 has "
            "'clock_ghz'");
}

TEST(YamlReader, NamesTheExpectedUnit) {
  const auto unknown = [](const std::string& key, const std::string& known) {
    const YamlNode root = parse(key + ": 1\n");
    root.number(known, 0, 1, 0);
    return input_error([&] { root.finish(); });
  };
  EXPECT_EQ(
      unknown("clock_ghz", "clock_mhz"),
      "chips/foo.yaml: line 1:1: unknown key 'clock_ghz', expected 'clock_mhz' (the unit is mhz)");
  EXPECT_THAT(unknown("clock", "clock_mhz"), HasSubstr("expected 'clock_mhz' (the unit is mhz)"));
  EXPECT_THAT(unknown("lanes_bytes", "lanes"), HasSubstr("expected 'lanes' (without a unit)"));
  EXPECT_THAT(unknown("write_gb_per_s", "write_bytes_per_cycle"),
              HasSubstr("expected 'write_bytes_per_cycle' (the unit is bytes_per_cycle)"));
  EXPECT_THAT(unknown("energy_nj_per_mac", "energy_pj_per_mac"),
              HasSubstr("(the unit is pj_per_mac)"));
  EXPECT_THAT(unknown("mhz", "ghz"), HasSubstr("unknown key 'mhz', did you mean 'ghz'?"));
}

TEST(YamlReader, RefusesRepeatedKeys) {
  EXPECT_EQ(refusal("a: 1\nb: 2\na: 3\n"),
            "chips/foo.yaml: line 3:1: expected each key once, found 'a' again (first on line 1)");
  EXPECT_THAT(refusal("x: {k: 1, k: 1}\n"), HasSubstr("found 'k' again"));
  EXPECT_EQ(refusal("x: {k: 1}\ny: {k: 1}\n"), "no InputError");
}

TEST(YamlReader, RefusesWhatItDoesNotSupport) {
  EXPECT_THAT(refusal("a: &x 1\nb: 2\n"), HasSubstr("line 1:4: expected a value, found an anchor"));
  EXPECT_THAT(refusal("a: &x [1]\nb: *x\n"), HasSubstr("found an anchor"));
  EXPECT_THAT(refusal("b: *x\n"), HasSubstr("line 1:4"));
  EXPECT_THAT(refusal("a: !!int 1\n"), HasSubstr("found the tag 'tag:yaml.org,2002:int'"));
  EXPECT_THAT(refusal("a: !x {b: 1}\n"), HasSubstr("found the tag '!x'"));
  EXPECT_THAT(refusal("a: 1\n---\nb: 1\n"),
              HasSubstr("line 3:1: expected one document, found another"));
  EXPECT_THAT(refusal("? [a]\n: 1\n"), HasSubstr("expected a key that is plain text"));
  EXPECT_THAT(refusal("~: 1\n"), HasSubstr("expected a key, found none"));
  EXPECT_THAT(refusal("a: " + std::string(40, '[') + std::string(40, ']')),
              HasSubstr("expected at most 32 levels"));
}

TEST(YamlReader, RefusesABillionLaughs) {
  std::string text = "a0: &a0 [lol, lol]\n";
  for (int i = 1; i < 30; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    text +=
        "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last + ", " + last + "]\n";
  }
  EXPECT_THAT(refusal(text), HasSubstr("found an anchor"));
}

TEST(YamlReader, NamesTheLineOfASyntaxError) {
  EXPECT_THAT(refusal("a: 1\nb: [1, 2\n"), HasSubstr("expected valid YAML: end of sequence flow"));
  EXPECT_THAT(refusal("a: 1\n\tb: 2\n"),
              HasSubstr("chips/foo.yaml: line 2:1: expected valid YAML"));
  EXPECT_THAT(refusal("a: 1\n  b: 2\n"), HasSubstr("line 2:4: expected valid YAML"));
  EXPECT_THAT(refusal("a: 'never closed\nb: 1\n"), HasSubstr("expected valid YAML"));
  EXPECT_THAT(refusal("a: \"never closed"), HasSubstr("expected valid YAML"));
  EXPECT_THAT(refusal("a: %x\n"), HasSubstr("line 1:4"));
}

TEST(YamlReader, RefusesWhatIsNotText) {
  EXPECT_EQ(refusal(std::string("a: 1\nb: \0\n", 10)),
            "chips/foo.yaml: line 2:4: expected text in UTF-8, found the byte 0x00");
  EXPECT_THAT(refusal("a: \xff\n"),
              HasSubstr("line 1:4: expected text in UTF-8, found the byte 0xff"));
  EXPECT_EQ(refusal("a: \u03c6(x)\n"), "no InputError");
  EXPECT_EQ(refusal("a: 1\r\nb: 2\r\n"), "no InputError");
}

TEST(YamlReader, RefusesEmptyFiles) {
  for (const char* text : {"", "\n\n", "# only a comment\n", "---\n", "~\n", "   "}) {
    EXPECT_EQ(refusal(text), "chips/foo.yaml: line 1:1: expected a map, found an empty file")
        << '"' << text << '"';
  }
}

TEST(YamlReader, ReadsFiles) {
  const TemporaryFolder folder;
  const std::string path = folder.write("chip.yaml", kChip);
  const YamlNode root = read_yaml(path);
  EXPECT_EQ(root.file(), path);
  EXPECT_EQ(root.text("name"), "tiny chip");
  EXPECT_EQ(input_error([&] { read_yaml(folder.file("none.yaml")); }),
            folder.file("none.yaml") + ": file: expected a YAML file, found none");
  EXPECT_EQ(input_error([&] { read_yaml(folder.file("")); }),
            folder.file("") + ": file: expected a regular file");
  EXPECT_EQ(input_error([&] { read_yaml(folder.write("e.yaml", "")); }),
            folder.file("e.yaml") + ": line 1:1: expected a map, found an empty file");
  folder.write("big.yaml", std::string((16 << 20) + 1, ' '));
  EXPECT_EQ(input_error([&] { read_yaml(folder.file("big.yaml")); }),
            folder.file("big.yaml") + ": file: expected at most 16777216 bytes");
}

TEST(YamlReaderFuzz, MutationsOnlyEverGiveInputErrors) {
  constexpr unsigned kSeed = 1234;
  const std::string valid = kChip;
  const std::string alphabet = std::string(" \n\t:-[]{},#&*!|>'\"%@`?~0aZ\\.\r") + '\0' + "\xff";
  std::mt19937 random(kSeed);
  int accepted = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string text = valid;
    for (unsigned edit = 0, edits = 1 + random() % 4; edit < edits; ++edit) {
      const std::size_t at = random() % text.size();
      switch (random() % 4) {
        case 0:
          text[at] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          text.insert(at, 1 + random() % 3, alphabet[random() % alphabet.size()]);
          break;
        case 2:
          text.erase(at, 1 + random() % 5);
          break;
        default:
          text.insert(random() % text.size(), text.substr(at, random() % 20));
          break;
      }
      if (text.empty()) text = " ";
    }
    SCOPED_TRACE(testing::Message() << "seed " << kSeed << ", round " << round << "\n" << text);
    const std::string message = input_error([&] {
      const YamlNode root = parse(text);
      root.text("name");
      root.child("cim").integer("rows", 1, 4096);
      for (const YamlNode& layer : root.sequence("layers"))
        layer.text("kind", {"attention", "norm"});
      root.finish();
    });
    accepted += message.find("unknown key") != std::string::npos ? 1 : 0;
    if (HasFailure()) return;
  }
  EXPECT_GT(accepted, 100) << "many mutations should get as far as finish()";
}

YamlNode read_two(const std::string& base, const std::string& over) {
  return overlaid(parse_yaml(base, "base.yaml"), parse_yaml(over, "over.yaml"));
}

TEST(YamlOverlay, MapsMergeAndEverythingElseIsReplaced) {
  const YamlNode root = read_two("a: 1\nm:\n  x: 1\n  y: [1, 2]\nl: [1, 2, 3]\nn: {k: 1}\n",
                                 "m:\n  y: [7]\n  z: 4\nl: [9]\nn: 5\nb: 2\n");
  EXPECT_THAT(root.keys(), ElementsAre("a", "m", "l", "n", "b"));
  EXPECT_EQ(root.integer("a", 0, 9), 1);
  EXPECT_EQ(root.child("m").integer("x", 0, 9), 1);
  EXPECT_EQ(root.child("m").integer("z", 0, 9), 4);
  EXPECT_THAT(root.child("m").required<std::vector<int>>("y"), ElementsAre(7));
  EXPECT_THAT(root.required<std::vector<int>>("l"), ElementsAre(9));
  EXPECT_EQ(root.integer("n", 0, 9), 5);
  EXPECT_EQ(root.integer("b", 0, 9), 2);
  root.finish();
}

TEST(YamlOverlay, EveryKeyKnowsItsFile) {
  const YamlNode root = read_two("m:\n  x: one\n  odd: 1\n", "m:\n  y: two\nq: 1\n");
  EXPECT_EQ(root.file(), "over.yaml");
  EXPECT_EQ(root.child("m").child("x").file(), "base.yaml");
  EXPECT_EQ(input_error([&] { root.child("m").integer("x", 1, 9); }),
            "base.yaml: line 2:6, m.x: expected an integer in 1..9, found 'one'");
  EXPECT_EQ(input_error([&] { root.child("m").integer("y", 1, 9); }),
            "over.yaml: line 2:6, m.y: expected an integer in 1..9, found 'two'");
  EXPECT_EQ(input_error([&] { root.finish(); }),
            "base.yaml: line 3:3, m: unknown key 'odd', expected one of x, y");
  root.child("m").has("odd");
  root.child("m").child("odd");
  EXPECT_EQ(input_error([&] { root.finish(); }),
            "over.yaml: line 3:1: unknown key 'q', expected one of m");
}

TEST(YamlOverlay, AnOptionSetsOneValue) {
  YamlNode root = parse("m:\n  x: 1\nl: [1]\n");
  root = assigned(root, "m.x", "2", "--set m.x=2");
  root = assigned(root, "m.deep.y", "true", "--set m.deep.y=true");
  root = assigned(root, "l", "[3, four]", "--set l=[3, four]");
  root = assigned(root, "t", "{no: map}", "--set t={no: map}");
  EXPECT_EQ(root.file(), "chips/foo.yaml") << "paths in it stay relative to the file";
  EXPECT_EQ(root.child("m").file(), "chips/foo.yaml");
  EXPECT_EQ(root.child("m").integer("x", 0, 9), 2);
  EXPECT_TRUE(root.child("m").child("deep").boolean("y"));
  EXPECT_EQ(root.text("t"), "{no: map}");
  EXPECT_EQ(root.child("l").at(0).as_integer(), 3);
  EXPECT_EQ(input_error([&] { root.child("l").at(1).as_integer(); }),
            "--set l=[3, four]: l[1]: expected an integer, found 'four'");
  EXPECT_EQ(input_error([&] { assigned(root, "u", "1", "--set u=1").finish(); }),
            "chips/foo.yaml: line 1:1: unknown key 'm', expected no key here");
  EXPECT_EQ(input_error([&] { root.child("m").child("z"); }),
            "chips/foo.yaml: line 2:3, m: expected the key 'z'");
  EXPECT_EQ(input_error([&] { assigned(root, "m..x", "1", "--set m..x=1"); }),
            "--set m..x=1: expected a key, found 'm..x'");
  EXPECT_EQ(input_error([&] { assigned(root, "l", "[1]: 2", "--set l=[1]: 2"); }).rfind("--set", 0),
            0U);
  EXPECT_THAT(input_error([&] { assigned(parse("- 1\n"), "l", "1", "--set l=1"); }),
              HasSubstr("chips/foo.yaml: line 1:1: expected a map"));
}

}  // namespace
}  // namespace quadrille::app
