# SPDX-License-Identifier: Apache-2.0
"""What the checkers share: the tree, C without its comments and strings, and how a finding looks."""

import os
import re
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


class Findings:
    """Collects findings and prints them as file:line: what: remedy."""

    def __init__(self):
        self.lines = []

    def add(self, path, line, what, remedy):
        self.lines.append((path, line, f"{path}:{line}: {what}; remedy: {remedy}"))

    def report(self):
        for _, _, text in sorted(self.lines):
            print(text)
        return 1 if self.lines else 0


def files(kind):
    """Our files of one kind (see tools/list_files), as paths from the root."""
    command = [os.path.join(ROOT, "tools", "list_files"), kind]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")[:-1]


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def blank(text):
    """The same number of lines, nothing on them."""
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    return TOKEN.sub(lambda m: blank(m[0]) if m[0].startswith("/") else m[0], text)


def code_lines(text):
    """(line number, code) for each line, with comments and the contents of literals blanked."""
    def replace(match):
        token = match[0]
        return blank(token) if token.startswith("/") else token[0] + blank(token[1:-1]) + token[-1]
    return list(enumerate(TOKEN.sub(replace, text).split("\n"), 1))


def comments(text):
    """(line number, text) of each comment."""
    for match in TOKEN.finditer(text):
        if match[0].startswith("/"):
            yield text.count("\n", 0, match.start()) + 1, match[0]
