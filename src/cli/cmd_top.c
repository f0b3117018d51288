/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/signals.h"
#include "cli/top.h"

#include <poll.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define TOP_INTERVAL_MS_DEFAULT 1000
#define TOP_SCREEN_ON "\033[?1049h\033[?25l"
#define TOP_SCREEN_OFF "\033[?25h\033[?1049l"

struct top_state {
    struct sl_cli_nodes nodes;
    struct sl_cli_answer feeds, drains;
    char contact[200];
};

/* Keeps what it has when there is no answer. */
static void top_ask(struct sl_cli *c, const char *path, struct sl_cli_answer *kept, char contact[200])
{
    struct sl_cli_answer a;
    const struct sl_cli_call call = {
        .method = "GET", .path = path, .is_idempotent = true, .is_single = true, .timeout_ms = 2000
    };
    sl_cli_client_call(c->client, &call, &a);
    if (sl_cli_answer_is_good(&a) && a.json) {
        sl_cli_answer_deinit(kept);
        *kept = a;
        return;
    }
    (void)snprintf(contact, 200, "not fresh: %.180s", a.reach == SL_CLI_INTERRUPTED ? "interrupted" : a.error);
    sl_cli_answer_deinit(&a);
}

static void top_refresh(struct sl_cli *c, struct top_state *s)
{
    struct sl_cli_answer nodes = { 0 };
    s->contact[0] = '\0';
    top_ask(c, "/api/v2/nodes", &nodes, s->contact);
    if (nodes.json) {
        sl_cli_nodes_deinit(&s->nodes);
        sl_cli_nodes_take(c, &s->nodes, &nodes);
    }
    top_ask(c, "/api/v2/changefeeds?state=all", &s->feeds, s->contact);
    top_ask(c, "/api/v2/drains", &s->drains, s->contact);
}

static void top_draw(struct sl_cli *c, const struct top_state *s, bool is_live)
{
    struct sl_cli_buf page = { 0 }, screen = { 0 };
    char clock[16] = "";
    struct tm local;
    time_t now = time(NULL);
    if (localtime_r(&now, &local))
        (void)strftime(clock, sizeof clock, "%H:%M:%S", &local);
    size_t width = sl_cli_columns(c);
    const struct sl_cli_top t = { .nodes = &s->nodes,
                                  .feeds = s->feeds.json,
                                  .drains = s->drains.json,
                                  .server = sl_cli_client_server(c->client),
                                  .contact = s->contact,
                                  .clock = clock,
                                  .width = width > 0 ? width : 80,
                                  .height = sl_cli_rows(),
                                  .has_colour = c->has_colour,
                                  .fills = is_live };
    sl_cli_top_render(&page, &t);
    sl_cli_add(&screen, is_live ? "\033[H" : "");
    for (const char *p = page.ptr; *p != '\0'; p++) {
        if (*p == '\n' && is_live)
            sl_cli_add(&screen, "\033[K\r");
        sl_cli_add_bytes(&screen, p, 1);
    }
    sl_cli_add(&screen, is_live ? "\033[K" : "");
    sl_cli_print(c, &screen);
    sl_cli_buf_free(&page);
    sl_cli_buf_free(&screen);
}

/* Until the interval is over; false: q, the end of the input, or a signal. */
static bool top_wait(uint64_t interval_ms)
{
    uint64_t until_ms = sl_cli_now_ms() + interval_ms;
    for (uint64_t now_ms = sl_cli_now_ms(); now_ms < until_ms; now_ms = sl_cli_now_ms()) {
        struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
                                 { .fd = sl_cli_signals_fd(), .events = POLLIN } };
        char key = 0;
        (void)poll(fds, 2, (int)(until_ms - now_ms < 60000 ? until_ms - now_ms : 60000));
        if (fds[0].revents != 0 && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q' || key == 4))
            return false;
        if (sl_cli_signals_seen())
            return false;
        if (fds[1].revents != 0 || key != 0)
            return true; /* another size, or a key: draw at once */
    }
    return true;
}

static bool top_keyboard(bool raw, struct termios *kept)
{
    struct termios mode;
    if (!raw)
        return tcsetattr(STDIN_FILENO, TCSADRAIN, kept) == 0;
    if (tcgetattr(STDIN_FILENO, kept) != 0)
        return false;
    mode = *kept;
    mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    mode.c_cc[VMIN] = 1;
    mode.c_cc[VTIME] = 0;
    return tcsetattr(STDIN_FILENO, TCSADRAIN, &mode) == 0;
}

static int top_live(struct sl_cli *c, struct top_state *s, uint64_t interval_ms)
{
    struct termios kept;
    if (!top_keyboard(true, &kept))
        return sl_cli_fail(c, SL_CLI_EXIT_USAGE, "top", "the keyboard cannot be read", "use --once");
    (void)fputs(TOP_SCREEN_ON, c->out);
    do {
        top_draw(c, s, true);
        bool goes_on = top_wait(interval_ms);
        if (!goes_on)
            break;
        top_refresh(c, s);
    } while (!sl_cli_signals_seen());
    (void)fputs(TOP_SCREEN_OFF, c->out);
    (void)fflush(c->out);
    (void)top_keyboard(false, &kept);
    return SL_CLI_EXIT_OK;
}

int sl_cli_top(struct sl_cli *c)
{
    struct top_state s = { .contact = "" };
    uint64_t interval_ms;
    int exit;
    if (!sl_cli_duration(c, SL_CLI_OPT_INTERVAL, &interval_ms))
        return SL_CLI_EXIT_USAGE;
    bool is_once = sl_cli_has(c, SL_CLI_OPT_ONCE) || !c->is_live;
    if (!sl_cli_nodes_load(c, "top", &s.nodes, &exit)) {
        sl_cli_nodes_deinit(&s.nodes);
        return exit;
    }
    top_refresh(c, &s);
    exit = SL_CLI_EXIT_OK;
    if (is_once)
        top_draw(c, &s, false);
    else
        exit = top_live(c, &s, interval_ms > 0 ? interval_ms : TOP_INTERVAL_MS_DEFAULT);
    sl_cli_nodes_deinit(&s.nodes);
    sl_cli_answer_deinit(&s.feeds);
    sl_cli_answer_deinit(&s.drains);
    return exit;
}
