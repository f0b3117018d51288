# SPDX-License-Identifier: Apache-2.0
"""What a package brings, installed into an empty folder, and run from there."""

import os
import shutil
import subprocess
import sys
import tempfile

import cluster
from cluster import BUILD_DIR, STOPPED, Cluster, main, tests_of


def install():
    root = tempfile.mkdtemp(prefix="sluice-package-")
    subprocess.run(["cmake", "--install", BUILD_DIR, "--prefix", "/usr"], check=True, capture_output=True,
                   env={**os.environ, "DESTDIR": root})
    return root


def test_a_node_runs_from_what_is_installed():
    root = install()
    try:
        for path in ("etc/sluice/sluiced.yaml", "usr/bin/sluice", "usr/lib/systemd/system/sluiced.service",
                     "usr/lib/sysusers.d/sluice.conf", "usr/lib/tmpfiles.d/sluice.conf",
                     "usr/share/bash-completion/completions/sluice", "usr/share/doc/sluice/configuration.md",
                     "usr/share/doc/sluice/api/openapi.json", "usr/share/sluice/alerts.yml", "usr/share/sluice/grafana/sluice.json"):
            assert os.path.exists(os.path.join(root, path)), path
        cluster.SLUICED = os.path.join(root, "usr/bin/sluiced")
        with Cluster(2, options={"config": os.path.join(root, "etc/sluice/sluiced.yaml")}) as c:
            owner = c.wait_formed()
            assert owner.get("/config")["drain-on-stop"] == "true"  # of the packaged file
            other = next(node for node in c.nodes if node is not owner)
            other.terminate()
            assert other.wait_exit() == STOPPED
            assert other.find("STOP_DRAINED")
        version = subprocess.run([os.path.join(root, "usr/bin/sluice"), "version"], capture_output=True, text=True, check=True)
        assert "0.1.0" in version.stdout, version
    finally:
        shutil.rmtree(root)


def test_the_packaged_configuration_is_understood():
    path = os.path.join(cluster.SOURCE_DIR, "packaging", "sluiced.yaml")
    done = subprocess.run([os.path.join(BUILD_DIR, "bin", "sluiced"), "--config", path, "--print-config"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    assert "drain-timeout: 5m # file" in done.stdout, done.stdout


if __name__ == "__main__":
    sys.exit(main(tests_of(globals())))
