/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "cli/cli.h"
#include "cli/model.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* What a run says: results on out, one line of what went wrong on err. */

int sl_cli_fail(struct sl_cli *c, int exit, const char *what, const char *why, const char *remedy)
{
    struct sl_cli_buf line = { 0 };
    sl_cli_addf(&line, "%s%s%s%s%s", what, why[0] != '\0' ? ": " : "", why, remedy[0] != '\0' ? "; " : "", remedy);
    size_t size = line.len * 4 + 1;
    char *clean = sl_cli_alloc(size + 1);
    sl_cli_clean(clean, size + 1, line.ptr);
    (void)fflush(c->out);
    (void)fprintf(c->err, "sluice: %s\n", clean);
    free(clean);
    sl_cli_buf_free(&line);
    return exit;
}

static const char *out_remedy(const struct sl_cli_answer *a)
{
    if (a->reach == SL_CLI_UNREACHED && a->hint && !a->was_sent)
        return a->hint;
    if (a->reach == SL_CLI_UNREACHED)
        return a->was_sent ? "it may have been done all the same: look before you repeat it"
                           : "is sluiced running there? --server names other nodes";
    if (sl_cli_answer_is_transient(a))
        return "no node leads the cluster at the moment: try again soon";
    return "";
}

int sl_cli_fail_answer(struct sl_cli *c, const char *what, const struct sl_cli_answer *a)
{
    char remedy[200];
    if (a->reach == SL_CLI_INTERRUPTED)
        return sl_cli_fail(c, SL_CLI_EXIT_FAILED, what, "interrupted before an answer came",
                           a->was_sent ? "it may have been done all the same" : "");
    if (sl_cli_answer_is_good(a))
        return sl_cli_fail(c, SL_CLI_EXIT_FAILED, what, "the answer is not what the API says",
                           "is the node of another version?");
    sl_cli_member_text(a->json, "remedy", remedy, sizeof remedy);
    if (strcmp(remedy, sl_code_remedy(SL_REFUSED)) == 0)
        remedy[0] = '\0'; /* "see the detail": it stands before it already */
    return sl_cli_fail(c, SL_CLI_EXIT_FAILED, what, a->error, remedy[0] != '\0' ? remedy : out_remedy(a));
}

void sl_cli_print(struct sl_cli *c, struct sl_cli_buf *b)
{
    if (b->len > 0)
        (void)fwrite(b->ptr, 1, b->len, c->out);
    (void)fflush(c->out);
    sl_cli_buf_clear(b);
}

void sl_cli_print_json(struct sl_cli *c, struct json_object *json)
{
    const char *text = json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
    (void)fprintf(c->out, "%s\n", text);
    (void)fflush(c->out);
}

size_t sl_cli_columns(const struct sl_cli *c)
{
    struct winsize size;
    if (!c->is_terminal)
        return 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

size_t sl_cli_rows(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}

bool sl_cli_confirm(struct sl_cli *c, const char *question)
{
    char answer[16];
    if (sl_cli_has(c, SL_CLI_OPT_YES))
        return true;
    if (isatty(STDIN_FILENO) != 1 || isatty(STDERR_FILENO) != 1) {
        (void)sl_cli_fail(c, SL_CLI_EXIT_USAGE, question, "nobody can be asked here", "give --yes");
        return false;
    }
    (void)fprintf(c->err, "%s [y/N] ", question);
    if (fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
        return true;
    (void)fputs("nothing was done\n", c->err);
    return false;
}

const char *sl_cli_colour(bool has_colour, enum sl_cli_colour colour)
{
    static const char *const codes[] = { "\033[0m", "\033[1m", "\033[2m", "\033[31m", "\033[32m", "\033[33m" };
    return has_colour ? codes[colour] : "";
}
