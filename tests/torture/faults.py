# SPDX-License-Identifier: Apache-2.0
"""Lets calls of a real process fail: the plan that libsl_faults.so reads (faults.h), and how to start a process under it."""

import functools
import mmap
import os
import re
import struct
import subprocess

from cluster import BUILD_DIR, SLUICED

LIBRARY = os.path.join(BUILD_DIR, "tests", "torture", "libsl_faults.so")
OWN_ALLOC, ANY_ALLOC, SOCKET, DISK = range(4)
HARD, INTERRUPT, SHORT, FULL = range(4)
PLAN = struct.Struct("<6Q")  # calls, first, count, every, how, failed
CALLS, FIRST, COUNT, EVERY, HOW, FAILED = range(6)
KINDS, PATH_BYTES = 4, 256
SIZE = KINDS * PLAN.size + PATH_BYTES


@functools.cache
def environment():
    """For the dynamic linker. A sanitizer's library has to come first; in front of ours stands what the program names of them."""
    words = subprocess.run(["ldd", SLUICED], capture_output=True, text=True, check=True).stdout
    sanitizers = re.findall(r"lib[at]san\.so\S* => (\S+)", words)
    return {"LD_PRELOAD": " ".join([*sanitizers, LIBRARY]), **({"LD_BIND_NOW": "1"} if sanitizers else {})}


class Faults:
    """The plan of the processes that are started with its environment. path: the part of the names of files for DISK."""

    def __init__(self, file_name, path=""):
        with open(file_name, "wb") as file:
            file.write(bytes(KINDS * PLAN.size) + path.encode().ljust(PATH_BYTES, b"\0"))
        with open(file_name, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), SIZE)
        self.environment = {**environment(), "SL_FAULTS": file_name}

    def _field(self, kind, field):
        return kind * PLAN.size + 8 * field

    def get(self, kind, field):
        return struct.unpack_from("<Q", self.map, self._field(kind, field))[0]

    def _set(self, kind, field, value):
        struct.pack_into("<Q", self.map, self._field(kind, field), value)

    def fail(self, kind, first, count=1, every=1, how=HARD):
        """Of the calls first ... first + count - 1 (the first of the process is 1) each `every`th fails."""
        self.stop(kind)
        for field, value in ((COUNT, count), (EVERY, every), (HOW, how), (FIRST, first)):
            self._set(kind, field, value)

    def fail_from_now(self, kind, count, every, how=HARD):
        self.fail(kind, self.get(kind, CALLS) + 1, count, every, how)

    def stop(self, kind):
        self._set(kind, FIRST, 0)

    def failed(self, kind):
        return self.get(kind, FAILED)
