# SPDX-License-Identifier: Apache-2.0
"""Running sluice against fake_server: with pipes, or on a terminal of its own."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from fake_server import FakeServer

SLUICE = os.path.join(os.environ["SL_BUILD_DIR"], "bin", "sluice")
LIMIT_S = 60


def environment(**more):
    """No setting of the caller's reaches a test."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SLUICE_") and k not in ("NO_COLOR", "TERM")}
    kept.update({"TZ": "UTC", "USER": "tester", "LC_ALL": "C.UTF-8"})
    kept.update(more)
    return kept


class Terminal:
    """sluice on a terminal of 80 x 24; what it writes is gathered."""

    def __init__(self, args, **env):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(SLUICE, [SLUICE] + args, environment(TERM="xterm", **env))
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def wait_for(self, wanted):
        end = time.monotonic() + LIMIT_S
        while wanted not in self.text:
            if not self._read(end) and wanted not in self.text:
                raise AssertionError(f"ended without {wanted!r}: {self.text!r}")
        return self.text

    def _read(self, end):
        ready, _, _ = select.select([self.fd], [], [], max(0, end - time.monotonic()))
        if not ready:
            raise AssertionError(f"nothing more within {LIMIT_S} s: {self.text!r}")
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.text += data.decode(errors="replace")
        return bool(data)

    def write(self, text):
        os.write(self.fd, text.encode())

    def end(self):
        """Waits for the end; returns the exit code."""
        end = time.monotonic() + LIMIT_S
        while self._read(end):
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


class CliCase(unittest.TestCase):
    maxDiff = None

    def serve(self, cluster):
        server = FakeServer(cluster)
        self.addCleanup(server.close)
        if hasattr(cluster, "hold"):
            self.addCleanup(cluster.hold.set)
        return server

    def run_sluice(self, args, server=None, expect=None, stdout=subprocess.PIPE, env=None, stdin=subprocess.DEVNULL):
        line = [SLUICE] + (["--server", server.address if hasattr(server, "address") else server] if server else [])
        done = subprocess.run(line + args, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, text=True,
                              timeout=LIMIT_S, env=environment(**(env or {})), check=False)
        if expect is not None:
            self.assertEqual(done.returncode, expect, f"{args}: {done.stdout}{done.stderr}")
        return done

    def start_sluice(self, args, server):
        process = subprocess.Popen([SLUICE, "--server", server.address] + args, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
        self.addCleanup(self._stop, process)
        return process

    def _stop(self, process):
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()

    def wait_until(self, condition):
        end = time.monotonic() + LIMIT_S
        while not condition():
            self.assertLess(time.monotonic(), end, "waited too long")
            time.sleep(0.01)
