#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""
Prints a port of 127.0.0.1 that nobody uses, for programs that cannot take one themselves and say which. It is not one of
those that the kernel gives to whoever connects somewhere: until the program is there, none of them is safe.
"""

import random
import socket

LOWEST = 12000


def free_port():
    """It may still be taken by another who draws one: the same one of twenty thousand in the same second."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            end = int(file.read().split()[0])
    except OSError:
        end = 32768
    while True:
        port = random.randrange(LOWEST, max(end, LOWEST + 1000))
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


if __name__ == "__main__":
    print(free_port())
