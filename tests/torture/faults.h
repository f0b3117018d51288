/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_TORTURE_FAULTS_H
#define SL_TESTS_TORTURE_FAULTS_H

#include <stdint.h>

/*
 * The plan of faults of one process, and what became of it: a file that the process maps, so that a test reads the counts
 * while it runs, and changes the plan. torture.py knows the layout.
 */
enum sl_fault_kind {
    SL_FAULT_OWN_ALLOC, /* allocations by the program itself */
    SL_FAULT_ANY_ALLOC, /* by it or by a library */
    SL_FAULT_SOCKET,    /* operations on TCP sockets */
    SL_FAULT_DISK,      /* writes and syncs of the files that `path` is part of the path of */
    SL_FAULT_KIND_COUNT
};

enum sl_fault_how {
    SL_FAULT_HARD,      /* memory: none; socket: reset, and it stays so; disk: EIO */
    SL_FAULT_INTERRUPT, /* EINTR, nothing happened */
    SL_FAULT_SHORT,     /* one byte, or half of what was asked for */
    SL_FAULT_FULL,      /* accept: EMFILE; disk: ENOSPC */
};

struct sl_fault_plan {
    uint64_t calls;        /* so far */
    uint64_t first, count; /* calls first ... first + count - 1 fail; the first call is 1, first 0 = none */
    uint64_t every;        /* of them only each so many; 0 and 1 = all */
    uint64_t how;
    uint64_t failed; /* how many did */
};

struct sl_faults {
    struct sl_fault_plan plans[SL_FAULT_KIND_COUNT];
    char path[256];
};

#endif
