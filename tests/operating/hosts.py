# SPDX-License-Identifier: Apache-2.0
"""Three hosts made of folders and loopback addresses, on which the commands of docs/operating are run as they stand.

A host has a root folder with /etc/sluice and /var/lib/sluice in it and an address in 127.0.0.0/8 of its own, so that every host
can use port 8300. What a command cannot do here is done by stand-ins, found before the real ones:

    apt install ./sluice_*.deb   installs the build into the host's root
    systemctl ACTION sluiced     starts, stops, restarts or reloads sluiced as the unit says
    journalctl -u sluiced        prints what it wrote
    scp FILE... HOST:FOLDER      copies; getent, hostname: this host's

Texts have the names of hosts and the folders replaced before they run.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from cluster import BUILD_DIR, MEMORY_DIR, PATIENCE, SOURCE_DIR, Failure, wait  # noqa: E402

NAMES = ("cdc1", "cdc2", "cdc3")
HERE = os.path.dirname(os.path.abspath(__file__))
BLOCK_LIMIT_S = 120


class Hosts:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="sluice-hosts-", dir=MEMORY_DIR)
        net = f"127.{random.randint(64, 250)}.{random.randint(1, 250)}"
        self.addresses = {name: f"{net}.{i + 1}" for i, name in enumerate(NAMES)}
        self.environment = {"PATH": f"{self.folder}/bin:{HERE}/bin:{self.folder}/operator/usr/bin:" + os.environ["PATH"],
                            "HOME": self.folder, "LANG": "C.UTF-8", "NO_COLOR": "1", "SL_HOSTS": self.folder,
                            "SL_BUILD_DIR": BUILD_DIR, "SL_SOURCE_DIR": SOURCE_DIR,
                            **{f"SL_ADDRESS_{name}": address for name, address in self.addresses.items()}}
        self.exported = {}
        self.etcd = None

    def __enter__(self):
        for name in (*NAMES, "operator"):
            for folder in ("etc/sluice", "var/lib/sluice", "home"):
                os.makedirs(os.path.join(self.folder, name, folder))
        subprocess.run(["cmake", "--install", BUILD_DIR, "--prefix", "/usr"], check=True, capture_output=True,
                       env={**os.environ, "DESTDIR": os.path.join(self.folder, "operator")})
        try:
            self._start_etcd()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, value, trace):
        for name in NAMES:
            self._kill(os.path.join(self.folder, name, "pid"))
        if self.etcd:
            self.etcd.kill()
            self.etcd.wait()
        if kind is not None:
            self._print_logs()
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def _kill(path):
        try:
            with open(path, encoding="utf-8") as file:
                os.kill(int(file.read()), 9)
        except (OSError, ValueError):
            pass

    def _print_logs(self):
        for name in NAMES:
            try:
                with open(os.path.join(self.folder, name, "journal"), encoding="utf-8", errors="replace") as file:
                    print(f"---- {name}\n" + "".join(file.readlines()[-30:]), file=sys.stderr)
            except OSError:
                pass

    def _start_etcd(self):
        client, peer = (f"http://{self.addresses['cdc1']}:{port}" for port in (2379, 2380))
        with open(os.path.join(self.folder, "etcd.log"), "wb") as log:
            self.etcd = subprocess.Popen(
                ["etcd", "--name", "e", "--data-dir", os.path.join(self.folder, "etcd"), "--unsafe-no-fsync",
                 "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
                 "--initial-advertise-peer-urls", peer, "--initial-cluster", "e=" + peer],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait(lambda: subprocess.run(["curl", "-sf", client + "/health"], capture_output=True, check=False).returncode == 0,
             "etcd to be healthy")

    def text_for(self, host, text):
        """What the text means on this host."""
        for name, address in self.addresses.items():
            text = re.sub(rf"\b{name}(?=:\d)", address, text)
        root = os.path.join(self.folder, host)
        return re.sub(r"(?<![\w/])/(etc|var/lib)/sluice\b", rf"{root}/\1/sluice", text)

    def run(self, host, text):
        """Runs a block of commands; every one of them has to succeed. What the operator exports stays."""
        state = os.path.join(self.folder, "exported")
        script = "set -eu\n" + self.text_for(host, text) + f"\ncd '{self.folder}/{host}/home'; export -p > '{state}'; pwd > '{state}.pwd'\n"
        done = subprocess.run(["bash", "-c", script], cwd=os.path.join(self.folder, host, "home"), check=False,
                              env={**self.environment, **(self.exported if host == "operator" else {}), "SL_HOST": host}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=BLOCK_LIMIT_S * PATIENCE)
        if done.returncode != 0:
            raise Failure(f"on {host}: status {done.returncode} of\n{text}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        if host == "operator":
            with open(state, encoding="utf-8") as file:
                self.exported.update(re.findall(r'^declare -x (SLUICE_\w+)="(.*)"$', file.read(), re.M))
        return done.stdout


def blocks(path):
    """The blocks of a page that are for a shell: (hosts, text)."""
    with open(path, encoding="utf-8") as file:
        page = file.read()
    for text in re.findall(r"^```sh\n(.*?)^```$", page, re.M | re.S):
        first = text.split("\n", 1)[0]
        on = re.fullmatch(r"# on (\w+)", first)
        if first == "# on each node":
            yield NAMES, text
        elif on:
            yield (on.group(1),), text
        else:
            yield ("operator",), text
