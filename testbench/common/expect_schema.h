// Holds a JSON value to a schema.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

namespace quadrille::testbench {

/// Checks as much of JSON Schema as docs/summary.schema.json uses.
inline void expect_schema(const nlohmann::json& schema, const nlohmann::json& value,
                          const std::string& place) {
  using nlohmann::json;
  SCOPED_TRACE(place);
  const json types = schema.at("type").is_array() ? schema.at("type") : json({schema.at("type")});
  bool fits = false;
  for (const std::string type : types) {
    fits = fits || (type == "object" && value.is_object()) ||
           (type == "array" && value.is_array()) || (type == "string" && value.is_string()) ||
           (type == "number" && value.is_number()) ||
           (type == "integer" && value.is_number_integer()) ||
           (type == "boolean" && value.is_boolean()) || (type == "null" && value.is_null());
  }
  EXPECT_TRUE(fits) << value;
  EXPECT_EQ(value, schema.value("const", value));
  if (value.is_array()) {
    for (const json& item : value) expect_schema(schema.at("items"), item, place + "[]");
  }
  if (!value.is_object()) return;
  for (const std::string name : schema.value("required", json::array()))
    EXPECT_TRUE(value.contains(name)) << name;
  for (const auto& [name, item] : value.items()) {
    if (schema.contains("properties") && schema.at("properties").contains(name)) {
      expect_schema(schema.at("properties").at(name), item, place + "." + name);
    } else {
      ASSERT_TRUE(schema.at("additionalProperties").is_object()) << name;
      expect_schema(schema.at("additionalProperties"), item, place + "." + name);
    }
  }
}

}  // namespace quadrille::testbench
