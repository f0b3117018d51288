/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/api_internal.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What every Prometheus client library says of its process; old tools compute the uptime from it. */

struct process_stat {
    uint64_t ticks, start_ticks, rss_pages;
};

/* proc(5): numbers of the fields, counted from the one after the name, which may hold anything. */
enum { PROCESS_UTIME = 11, PROCESS_STIME = 12, PROCESS_START = 19, PROCESS_RSS = 21, PROCESS_FIELDS = 22 };

static bool process_read(struct process_stat *s)
{
    char text[1024];
    uint64_t fields[PROCESS_FIELDS] = { 0 };
    FILE *f = fopen("/proc/self/stat", "re");
    size_t len = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        (void)fclose(f);
    text[len] = '\0';
    char *at = strrchr(text, ')');
    if (!at || strlen(at) < 4)
        return false;
    at += 3; /* the state is a letter */
    for (int i = 1; i < PROCESS_FIELDS; i++)
        fields[i] = strtoull(at, &at, 10);
    *s = (struct process_stat){ .ticks = fields[PROCESS_UTIME] + fields[PROCESS_STIME],
                                .start_ticks = fields[PROCESS_START],
                                .rss_pages = fields[PROCESS_RSS] };
    return s->rss_pages > 0;
}

static uint64_t process_count_fds(void)
{
    uint64_t count = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir && readdir(dir))
        count++;
    if (dir)
        closedir(dir);
    return count > 3 ? count - 3 : 0; /* ".", "..", and the folder itself */
}

void sl__page_process(struct sl_metrics *m)
{
    struct process_stat s;
    struct timespec boot;
    long hz = sysconf(_SC_CLK_TCK), page = sysconf(_SC_PAGESIZE);
    uint64_t fds = process_count_fds();
    if (fds > 0)
        sl_metrics_u64(m, SL_METRIC_PROCESS_FDS, NULL, 0, fds);
    if (hz <= 0 || page <= 0 || !process_read(&s) || clock_gettime(CLOCK_BOOTTIME, &boot) != 0)
        return;
    double wall = (double)sl__time_wall_ms() / 1000;
    double since_boot = (double)boot.tv_sec + (double)boot.tv_nsec / 1e9;
    sl_metrics_real(m, SL_METRIC_PROCESS_START, NULL, 0, wall - since_boot + (double)s.start_ticks / (double)hz);
    sl_metrics_real(m, SL_METRIC_PROCESS_CPU, NULL, 0, (double)s.ticks / (double)hz);
    sl_metrics_u64(m, SL_METRIC_PROCESS_RSS, NULL, 0, s.rss_pages * (uint64_t)page);
}
