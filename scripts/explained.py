"""Explanations of what no test can reach, from a committed CSV file.

Each row names an engine, a regular expression and the reason. An explanation that
matches something the tests do reach is wrong, and one that matches nothing is stale.
"""

import csv
import re


class Explanations:
    def __init__(self, path, engine):
        self.path = path
        self.rules = []
        with open(path, newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["engine"] == engine:
                    self.rules.append((re.compile(row["pattern"]), row["reason"]))
        self.used = set()

    def reason(self, text):
        """The reason of the first rule that matches, or None."""
        for number, (pattern, reason) in enumerate(self.rules):
            if pattern.search(text):
                self.used.add(number)
                return reason
        return None

    def contradicted(self, texts):
        """The rules that match one of `texts`, which the tests do reach: [(pattern, text)]."""
        return [(pattern.pattern, text) for pattern, _ in self.rules for text in texts if pattern.search(text)]

    def unused(self):
        return [pattern.pattern for number, (pattern, _) in enumerate(self.rules) if number not in self.used]
