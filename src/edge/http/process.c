/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/api_internal.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* What every Prometheus client library says of its process; old tools compute the uptime from it. */

struct process_stat {
    uint64_t ticks, start_ticks, rss_pages;
};

/* The fields after the name, which may hold anything. */
static bool process_read(struct process_stat *s)
{
    char text[1024];
    unsigned long user, system, rss;
    unsigned long long start;
    FILE *f = fopen("/proc/self/stat", "re");
    size_t len = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    text[len] = '\0';
    const char *after = strrchr(text, ')');
    if (!after || sscanf(after + 1,
                         " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %llu "
                         "%*u %lu",
                         &user, &system, &start, &rss) != 4)
        return false;
    *s = (struct process_stat){ .ticks = user + system, .start_ticks = start, .rss_pages = rss };
    return true;
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
