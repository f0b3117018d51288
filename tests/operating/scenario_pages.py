# SPDX-License-Identifier: Apache-2.0
"""Every shell command of docs/operating, run as it stands, page after page in the order in which an operator would need them."""

import os
import sys

from hosts import NAMES, SOURCE_DIR, Hosts, blocks

from cluster import main, tests_of, wait

PAGES = os.path.join(SOURCE_DIR, "docs", "operating")


def run_page(hosts, name):
    ran = 0
    for where, text in blocks(os.path.join(PAGES, name)):
        for host in where:
            hosts.run(host, text)
            ran += 1
    return ran


def is_well(hosts):
    """All members are there and nothing is wrong: what an operator waits for between two pages."""
    try:
        return hosts.run("operator", "sluice cluster status")
    except Exception:  # it ends with another status until then
        return None


def test_the_pages_as_they_stand():
    order = ("README.md", "install.md", "drain.md", "monitor.md", "recover.md", "upgrade.md", "secure.md", "limits.md")
    assert sorted(order) == sorted(os.listdir(PAGES)), "a page is not run"
    with Hosts() as hosts:
        for page in order:
            if page != "README.md":
                print(f"{page}: {run_page(hosts, page)} blocks", flush=True)
            else:
                run_page(hosts, page)
            if page not in ("README.md",):
                wait(lambda: is_well(hosts), f"the cluster to be well after {page}", 60)
        hosts.run("operator", "sluice feed list; sluice node list --json")
        for name in NAMES:  # what the page on security says of the passwords that it uses
            text = hosts.run(name, "journalctl -u sluiced")
            assert "correct horse" not in text and "battery staple" not in text, name


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
