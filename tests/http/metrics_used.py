# SPDX-License-Identifier: Apache-2.0
"""Every metric that alerts and dashboards ask for is on the page (argv[1]); their expressions as rules into argv[2]."""

import glob
import json
import re
import sys


def expressions():
    for line in open("packaging/alerts.yml"):
        match = re.match(r"\s+expr: (.*)", line)
        if match:
            yield "packaging/alerts.yml", match[1]
    for path in glob.glob("packaging/grafana/*.json"):
        for panel in json.load(open(path))["panels"]:
            for target in panel.get("targets", []):
                yield path, target["expr"].replace("$__rate_interval", "5m")


def main():
    page = open(sys.argv[1]).read()
    known = set(re.findall(r"^([a-z_]+)", page, re.MULTILINE))
    rules, missing = "groups:\n  - name: all\n    rules:\n", []
    for number, (path, expr) in enumerate(expressions()):
        rules += f"      - record: used:{number}\n        expr: {json.dumps(expr)}\n"
        for name in re.findall(r"\b(?:sluice|ticdc|process)_[a-z_]+", expr):
            if name not in known:
                missing.append(f"{path}: {name} is no metric")
    open(sys.argv[2], "w").write(rules)
    print("\n".join(missing))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
