/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/ui.h"

#include "edge/http/api_internal.h"

#include <string.h>

/* The web page: static files, which get all they show from the API. */

static const char *ui_content_type(const char *name)
{
    static const struct {
        const char *end, *type;
    } types[] = { { ".html", "text/html; charset=utf-8" },
                  { ".css", "text/css; charset=utf-8" },
                  { ".js", "text/javascript; charset=utf-8" },
                  { ".svg", "image/svg+xml" } };
    const char *end = strrchr(name, '.');
    for (size_t i = 0; end && i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(end, types[i].end) == 0)
            return types[i].type;
    }
    return "application/octet-stream";
}

/* Nothing from anywhere else, no inline code, in nobody's frame. */
static const char *const ui_headers[][2] = {
    { "Content-Security-Policy",
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
      "form-action 'none'; frame-ancestors 'none'" },
    { "Cache-Control", "no-cache" },
    { "Cross-Origin-Opener-Policy", "same-origin" },
    { "Referrer-Policy", "no-referrer" },
    { "X-Content-Type-Options", "nosniff" },
    { "X-Frame-Options", "DENY" },
};

static void ui_send(struct sl__call *c, const struct sl__ui_file *file)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(file->len, (void *)(uintptr_t)file->bytes, MHD_RESPMEM_PERSISTENT);
    if (!response) {
        sl__answer_overload(c);
        return;
    }
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, ui_content_type(file->name));
    for (size_t i = 0; i < sizeof ui_headers / sizeof ui_headers[0]; i++)
        (void)MHD_add_response_header(response, ui_headers[i][0], ui_headers[i][1]);
    sl__answer_response(c, 200, response);
}

void sl__on_ui(struct sl__call *c)
{
    struct sl_str name = c->params[0].ptr ? c->params[0] : SL_STR("index.html");
    for (size_t i = 0; i < sl__ui_file_count; i++) {
        if (sl_str_eq(name, sl_str_of(sl__ui_files[i].name))) {
            ui_send(c, &sl__ui_files[i]);
            return;
        }
    }
    sl__answer_no_route(c);
}
