/* SPDX-License-Identifier: Apache-2.0 */
/* What a file sink reads back: its states and marks, as somebody may have left them; and its URIs. */
#include "base/hash.h"
#include "edge/file/file_mark.h"
#include "edge/file/file_opts.h"
#include "edge/file/file_state.h"

#include <string.h>

static void on_state(struct sl_str text)
{
    static struct sl_file_state s;
    char stored[SL_FILE_STATE_BYTES_MAX];
    if (!sl_file_state_parse(&s, text))
        return;
    SL_REQUIRE(s.folder[0] != '/' && s.folder[0] != '.' && !strstr(s.folder, "/."));
    size_t size = sl_file_state_format(&s, stored);
    SL_REQUIRE(sl_file_state_parse(&s, (struct sl_str){ stored, size }));
}

/* A body with the sum that belongs to it, so that what is behind the sum is reached too. */
static void on_body(struct sl_str body)
{
    char memory[SL_FILE_STATE_BYTES_MAX];
    struct sl_text text;
    sl_text_init(&text, memory, sizeof memory);
    sl_text_str(&text, body);
    sl_text_hex64(&text, sl_hash_bytes(0, memory, text.len));
    sl_text_cstr(&text, "\n");
    on_state((struct sl_str){ memory, text.len });
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_str text = { (const char *)data, size };
    struct sl_file_mark mark;
    struct sl_file_opts opts;
    struct sl_trouble trouble;
    on_state(text);
    on_body(text);
    if (sl_file_mark_parse(&mark, text))
        SL_REQUIRE(mark.id[0] != 0 && mark.protocol[0] != 0);
    if (sl_file_opts_parse(&opts, sl_secret_of((struct sl_bytes){ data, size }), &trouble))
        SL_REQUIRE(opts.directory[0] == '/' && opts.file_size > 0);
    return 0;
}
