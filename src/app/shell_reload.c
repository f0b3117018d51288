/* SPDX-License-Identifier: Apache-2.0 */
#include "app/shell_internal.h"

#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

enum { RELOAD_VALUE_BYTES = 4096, RELOAD_LIST_BYTES = 512 };

static bool reload_differs(const struct sl_options *a, const struct sl_options *b, enum sl_option_id id)
{
    char left[RELOAD_VALUE_BYTES], right[RELOAD_VALUE_BYTES];
    sl_options_show(a, id, left, sizeof left);
    sl_options_show(b, id, right, sizeof right);
    return strcmp(left, right) != 0;
}

/* Flags of what changed and takes effect with a new start only. */
static void reload_list_pending(const struct sl_options *now, const struct sl_options *read, struct sl_text *list)
{
    for (unsigned id = 0; id < SL_OPTION_ID_config; id++) {
        const struct sl_option_row *row = sl_option_row((enum sl_option_id)id);
        if (row->reload == SL_OPTION_LIVE || !reload_differs(now, read, (enum sl_option_id)id))
            continue;
        sl_text_cstr(list, list->len > 0 ? " " : "");
        sl_text_cstr(list, row->flag);
    }
}

static void reload_take_live(struct sl_options *now, const struct sl_options *read)
{
    for (unsigned id = 0; id < SL_OPTION_ID_config; id++) {
        struct sl_complaint c;
        char value[RELOAD_VALUE_BYTES];
        if (sl_option_row((enum sl_option_id)id)->reload != SL_OPTION_LIVE)
            continue;
        sl_options_show(read, (enum sl_option_id)id, value, sizeof value);
        now->origin[id] = read->origin[id];
        SL_EXPECT(sl_options_set(now, (enum sl_option_id)id, value, read->origin[id], &c));
    }
}

static bool reload_parts(struct sl_shell *s, struct sl_err *err)
{
    const struct sl_options *o = s->options;
    sl_log_set_level(s->log, (enum sl_event_level)o->log_level);
    sl_log_set_format(s->log, (enum sl_log_format)o->log_format);
    if (sl_log_reopen(s->log, o->log_file, err) != SL_OK)
        return false;
    if (s->tls && sl_tls_reload(s->tls, err) != SL_OK)
        return false;
    return sl_api_reload(s->api, err) == SL_OK;
}

/* Reads a few small files in the loop's thread: somebody asked for it, and they are local. */
void sl__shell_reload(struct sl_shell *s)
{
    struct sl_options read;
    struct sl_complaint c;
    struct sl_err err = { 0 };
    char pending[RELOAD_LIST_BYTES];
    struct sl_text list;
    if (s->state == SL__SHELL_CLOSING)
        return;
    sl_text_init(&list, pending, sizeof pending);
    sd_notify(0, "RELOADING=1");
    sl_options_init(&read);
    if (!sl_options_read(&read, s->argc, s->argv, getenv, &c) || !sl_options_check(&read, &c)) {
        sl_log_app(s->log, SL_APP_RELOAD_FAILED, sl_f_str("detail", sl_str_of(c.text)));
    } else {
        reload_list_pending(s->options, &read, &list);
        reload_take_live(s->options, &read);
        if (reload_parts(s, &err))
            sl_log_app(s->log, SL_APP_RELOADED, sl_f_str("needs_start", sl_str_of(pending)));
        else
            sl_log_app(s->log, SL_APP_RELOAD_FAILED, sl_f_str("detail", sl_str_of(err.text)));
    }
    sl_options_deinit(&read);
    sd_notify(0, "READY=1");
}
