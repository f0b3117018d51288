/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration file may be anything: it is understood or refused in one line. What was understood is printed as a file
 * that says the same.
 */
#include "app/options.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *printed(const struct sl_options *o, size_t *len)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, len);
    SL_REQUIRE(out != NULL);
    sl_options_print_config(o, out);
    fclose(out);
    return text;
}

/* Where a value comes from is said in a comment; of secrets nothing is printed. */
static void check_again(const struct sl_options *o)
{
    struct sl_options again;
    struct sl_complaint c;
    size_t len, again_len;
    char *text = printed(o, &len);
    sl_options_init(&again);
    SL_REQUIRE(sl_options_read_text(&again, (struct sl_str){ text, len }, "again", &c));
    memcpy(again.origin, o->origin, sizeof again.origin);
    char *again_text = printed(&again, &again_len);
    SL_REQUIRE(len == again_len && memcmp(text, again_text, len) == 0);
    free(text);
    free(again_text);
    sl_options_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_options o;
    struct sl_complaint c = { 0 };
    sl_options_init(&o);
    if (sl_options_read_text(&o, (struct sl_str){ (const char *)data, size }, "file", &c)) {
        check_again(&o);
        (void)sl_options_check(&o, &c);
    } else {
        SL_REQUIRE(c.text[0] != '\0' && c.exit != SL_EXIT_STOPPED);
    }
    SL_REQUIRE(memchr(c.text, '\n', sizeof c.text) == NULL || strchr(c.text, '\n') == NULL);
    sl_options_deinit(&o);
    return 0;
}
