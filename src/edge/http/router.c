/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/router.h"

#include "base/check.h"
#include "edge/http/api_internal.h"

static const struct sl__route router_routes[SL__ROUTE_COUNT] = {
#define SL_ROUTE(id_, method_, path_, where_, role_, flavor_, handler_, summary_, request_, response_) \
    [SL__ROUTE_##id_] = { .id = SL__ROUTE_##id_,                                                       \
                          .name = #id_,                                                                \
                          .method = #method_,                                                          \
                          .path = (path_),                                                             \
                          .where = SL__##where_,                                                       \
                          .role = SL__##role_,                                                         \
                          .flavor = SL__##flavor_,                                                     \
                          .handler = sl__on_##handler_,                                                \
                          .summary = (summary_),                                                       \
                          .request = #request_,                                                        \
                          .response = #response_ },
#include "edge/http/routes.def"
#undef SL_ROUTE
};

const struct sl__route *sl__route_at(uint32_t index)
{
    SL_REQUIRE(index < SL__ROUTE_COUNT);
    return &router_routes[index];
}

/* A parameter is a whole segment between slashes, and not empty. */
static bool router_matches(const char *pattern, struct sl_str path, struct sl_str params[SL__PARAMS_MAX])
{
    uint32_t param = 0;
    size_t at = 0;
    while (*pattern != '\0') {
        if (*pattern != '{') {
            if (at == path.len || path.ptr[at++] != *pattern++)
                return false;
            continue;
        }
        size_t start = at;
        while (at < path.len && path.ptr[at] != '/')
            at++;
        if (at == start || param == SL__PARAMS_MAX)
            return false;
        params[param++] = (struct sl_str){ path.ptr + start, at - start };
        while (*pattern++ != '}') {
        }
    }
    return at == path.len;
}

/* The table has "/x/{a}" and "/x/literal": what matches without a parameter comes first, wherever it stands. */
const struct sl__route *sl__route_find(struct sl_str method, struct sl_str path, struct sl_str params[SL__PARAMS_MAX])
{
    const struct sl__route *best = NULL;
    if (sl_str_eq(method, SL_STR("HEAD")))
        method = SL_STR("GET");
    for (uint32_t i = 0; i < SL__ROUTE_COUNT; i++) {
        const struct sl__route *r = &router_routes[i];
        struct sl_str found[SL__PARAMS_MAX] = { { NULL, 0 } };
        if (!sl_str_eq(method, sl_str_of(r->method)) || !router_matches(r->path, path, found))
            continue;
        if (!best || found[0].ptr == NULL) {
            best = r;
            for (uint32_t p = 0; p < SL__PARAMS_MAX; p++)
                params[p] = found[p];
        }
        if (found[0].ptr == NULL)
            break;
    }
    return best;
}
