/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_EDGE_HTTP_ROUTER_H
#define SL_EDGE_HTTP_ROUTER_H

#include "base/str.h"

/* From method and path to a route of routes.def. */
struct sl__call;

enum sl__where { SL__LOCAL, SL__OWNER, SL__MAINTAINER };
enum sl__role { SL__PUBLIC, SL__VIEWER, SL__OPERATOR };
enum sl__flavor { SL__REF, SL__REF_V1, SL__OWN };

enum sl__route_id {
#define SL_ROUTE(id, method, path, where, role, flavor, handler, summary, request, response) SL__ROUTE_##id,
#include "edge/http/routes.def"
#undef SL_ROUTE
    SL__ROUTE_COUNT
};

struct sl__route {
    enum sl__route_id id;
    const char *name, *method, *path;
    enum sl__where where;
    enum sl__role role;
    enum sl__flavor flavor;
    void (*handler)(struct sl__call *c);
    const char *summary, *request, *response; /* names of schemas; "NONE" */
};

#define SL__PARAMS_MAX 2

const struct sl__route *sl__route_at(uint32_t index); /* index < SL__ROUTE_COUNT */

/*
 * The route of a path that is already decoded, or null: no such path (or not with this method). HEAD finds GET's route.
 * params are views into path.
 */
const struct sl__route *sl__route_find(struct sl_str method, struct sl_str path, struct sl_str params[SL__PARAMS_MAX]);

#endif
