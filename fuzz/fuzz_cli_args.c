/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines, their words separated by NUL: understood, or refused with a reason that shows no secret. */
#include "cli/args.h"

#include <stdlib.h>
#include <string.h>

enum { ARGS_MAX = 40 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char program[] = "sluice";
    static struct sl_cli_args args;
    char *text = malloc(size + 1), *argv[ARGS_MAX + 2] = { program };
    int argc = 1;
    SL_REQUIRE(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    for (char *word = text; argc <= ARGS_MAX && word < text + size; word += strlen(word) + 1)
        argv[argc++] = word;
    memset(&args, 0, sizeof args);
    if (sl_cli_args_parse(&args, argc, argv)) {
        SL_REQUIRE(args.word_count <= SL_CLI_WORDS_MAX && args.repeat_count <= SL_CLI_REPEAT_MAX);
        for (size_t i = 0; i < args.word_count; i++)
            SL_REQUIRE(args.words[i] >= text && args.words[i] <= text + size);
    } else {
        SL_REQUIRE(args.problem[0] != '\0');
    }
    free(text);
    return 0;
}
