/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/http/openapi.h"

#include "edge/http/api_internal.h"

#include <string.h>

/* ---- the tables ---- */

enum openapi_kind { OPENAPI_OBJECT, OPENAPI_FIELD, OPENAPI_LIST, OPENAPI_PAGE, OPENAPI_PLAIN };

static const struct openapi_row {
    enum openapi_kind kind;
    const char *name, *type, *text;
} openapi_rows[] = {
#define SL_SCHEMA(name_, text_) { OPENAPI_OBJECT, #name_, "", text_ },
#define SL_FIELD(name_, type_, text_) { OPENAPI_FIELD, #name_, type_, text_ },
#define SL_LIST(name_, item_, text_) { OPENAPI_LIST, #name_, #item_, text_ },
#define SL_PAGE(name_, item_, text_) { OPENAPI_PAGE, #name_, #item_, text_ },
#define SL_PLAIN(name_, type_, text_) { OPENAPI_PLAIN, #name_, type_, text_ },
#include "edge/http/schemas.def"
#undef SL_SCHEMA
#undef SL_FIELD
#undef SL_LIST
#undef SL_PAGE
#undef SL_PLAIN
};
#define OPENAPI_ROW_COUNT (sizeof openapi_rows / sizeof openapi_rows[0])

static const struct openapi_row *openapi_find(const char *name)
{
    for (size_t i = 0; i < OPENAPI_ROW_COUNT; i++) {
        if (openapi_rows[i].kind != OPENAPI_FIELD && strcmp(openapi_rows[i].name, name) == 0)
            return &openapi_rows[i];
    }
    SL_UNREACHABLE();
}

bool sl_openapi_has_member(const char *schema, const char *member)
{
    const struct openapi_row *row = openapi_find(schema), *end = openapi_rows + OPENAPI_ROW_COUNT;
    if (strcmp(schema, "Anything") == 0)
        return true;
    for (row++; row < end && row->kind == OPENAPI_FIELD; row++) {
        if (strcmp(row->name, member) == 0)
            return true;
    }
    return false;
}

/* ---- schemas ---- */

static void openapi_put_ref(struct sl_json_out *j, struct sl_str name)
{
    char path[128];
    struct sl_text t;
    sl_text_init(&t, path, sizeof path);
    sl_text_cstr(&t, "#/components/schemas/");
    sl_text_str(&t, name);
    sl__put_cstr(j, "$ref", path);
}

static bool openapi_is_word(struct sl_str type)
{
    static const char *const words[] = { "string", "integer", "number", "boolean" };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (sl_str_eq(type, sl_str_of(words[i])))
            return true;
    }
    return false;
}

static void openapi_put_word(struct sl_json_out *j, const char *word, bool may_be_null)
{
    if (!may_be_null) {
        sl__put_cstr(j, "type", word);
        return;
    }
    sl_json_key(j, "type");
    sl_json_open(j, '[');
    sl__json_cstr(j, word);
    sl__json_cstr(j, "null");
    sl_json_close(j, ']');
}

static void openapi_put_type(struct sl_json_out *j, struct sl_str type, bool may_be_null);

static void openapi_put_array(struct sl_json_out *j, struct sl_str item, bool may_be_null)
{
    openapi_put_word(j, "array", may_be_null);
    sl_json_key(j, "items");
    sl_json_open(j, '{');
    openapi_put_type(j, item, false);
    sl_json_close(j, '}');
}

/* The members that say what a type is, inside an object that is open. */
static void openapi_put_type(struct sl_json_out *j, struct sl_str type, bool may_be_null)
{
    char word[32];
    struct sl_text t;
    sl_text_init(&t, word, sizeof word);
    sl_text_str(&t, type);
    if (type.ptr[0] == '[') {
        openapi_put_array(j, (struct sl_str){ type.ptr + 1, type.len - 2 }, may_be_null);
    } else if (sl_str_eq(type, SL_STR("time"))) {
        openapi_put_word(j, "string", may_be_null);
        sl__put_cstr(j, "format", "date-time");
    } else if (openapi_is_word(type)) {
        openapi_put_word(j, word, may_be_null);
    } else if (may_be_null && !sl_str_eq(type, SL_STR("any"))) {
        sl_json_key(j, "anyOf");
        sl_json_open(j, '[');
        sl_json_open(j, '{');
        openapi_put_ref(j, type);
        sl_json_close(j, '}');
        sl_json_open(j, '{');
        sl__put_cstr(j, "type", "null");
        sl_json_close(j, '}');
        sl_json_close(j, ']');
    } else if (!sl_str_eq(type, SL_STR("any"))) {
        openapi_put_ref(j, type);
    }
}

static bool openapi_is_optional(const struct openapi_row *field)
{
    return field->type[strlen(field->type) - 1] == '?';
}

static void openapi_put_field(struct sl_json_out *j, const struct openapi_row *field)
{
    struct sl_str type = sl_str_of(field->type);
    type.len -= openapi_is_optional(field);
    sl_json_key(j, field->name);
    sl_json_open(j, '{');
    openapi_put_type(j, type, openapi_is_optional(field));
    sl__put_cstr(j, "description", field->text);
    sl_json_close(j, '}');
}

static void openapi_put_object(struct sl_json_out *j, const struct openapi_row *row)
{
    const struct openapi_row *end = openapi_rows + OPENAPI_ROW_COUNT;
    bool any = false;
    sl__put_cstr(j, "type", "object");
    sl_json_key(j, "properties");
    sl_json_open(j, '{');
    for (const struct openapi_row *f = row + 1; f < end && f->kind == OPENAPI_FIELD; f++) {
        openapi_put_field(j, f);
        any = any || !openapi_is_optional(f);
    }
    sl_json_close(j, '}');
    if (!any)
        return;
    sl_json_key(j, "required");
    sl_json_open(j, '[');
    for (const struct openapi_row *f = row + 1; f < end && f->kind == OPENAPI_FIELD; f++) {
        if (!openapi_is_optional(f))
            sl__json_cstr(j, f->name);
    }
    sl_json_close(j, ']');
}

static void openapi_put_page(struct sl_json_out *j, const struct openapi_row *row)
{
    sl__put_cstr(j, "type", "object");
    sl_json_key(j, "properties");
    sl_json_open(j, '{');
    sl_json_key(j, "total");
    sl_json_open(j, '{');
    sl__put_cstr(j, "type", "integer");
    sl_json_close(j, '}');
    sl_json_key(j, "items");
    sl_json_open(j, '{');
    openapi_put_array(j, sl_str_of(row->type), false);
    sl_json_close(j, '}');
    sl_json_close(j, '}');
    sl_json_key(j, "required");
    sl_json_open(j, '[');
    sl__json_cstr(j, "total");
    sl__json_cstr(j, "items");
    sl_json_close(j, ']');
}

static void openapi_put_schema(struct sl_json_out *j, const struct openapi_row *row)
{
    sl_json_key(j, row->name);
    sl_json_open(j, '{');
    switch (row->kind) {
    case OPENAPI_OBJECT:
        openapi_put_object(j, row);
        break;
    case OPENAPI_LIST:
        openapi_put_array(j, sl_str_of(row->type), false);
        break;
    case OPENAPI_PAGE:
        openapi_put_page(j, row);
        break;
    case OPENAPI_PLAIN:
    case OPENAPI_FIELD:
        break;
    }
    sl__put_cstr(j, "description", row->text);
    sl_json_close(j, '}');
}

static void openapi_put_schemas(struct sl_json_out *j)
{
    sl_json_key(j, "schemas");
    sl_json_open(j, '{');
    for (size_t i = 0; i < OPENAPI_ROW_COUNT; i++) {
        if (openapi_rows[i].kind != OPENAPI_FIELD && openapi_rows[i].kind != OPENAPI_PLAIN)
            openapi_put_schema(j, &openapi_rows[i]);
    }
    sl_json_close(j, '}');
}

/* ---- routes ---- */

static void openapi_put_content(struct sl_json_out *j, const char *schema)
{
    const struct openapi_row *row = openapi_find(schema);
    const char *media = row->kind == OPENAPI_PLAIN ? row->type : "application/json";
    if (media[0] == '\0')
        return;
    sl_json_key(j, "content");
    sl_json_open(j, '{');
    sl_json_key(j, media);
    sl_json_open(j, '{');
    sl_json_key(j, "schema");
    sl_json_open(j, '{');
    if (row->kind == OPENAPI_PLAIN)
        sl__put_cstr(j, "type", "string");
    else
        openapi_put_ref(j, sl_str_of(schema));
    sl_json_close(j, '}');
    sl_json_close(j, '}');
    sl_json_close(j, '}');
}

static void openapi_put_answer(struct sl_json_out *j, const char *status, const char *text, const char *schema)
{
    sl_json_key(j, status);
    sl_json_open(j, '{');
    sl__put_cstr(j, "description", text);
    openapi_put_content(j, schema);
    sl_json_close(j, '}');
}

static bool openapi_is_change(const struct sl__route *r)
{
    return r->role == SL__OPERATOR && strcmp(r->method, "GET") != 0;
}

static void openapi_put_answers(struct sl_json_out *j, const struct sl__route *r)
{
    const struct openapi_row *row = openapi_find(r->response);
    bool is_accepted = (r->flavor == SL__REF_V1 && openapi_is_change(r)) || r->id == SL__ROUTE_drain_start ||
                       r->id == SL__ROUTE_node_stop;
    bool is_own = r->flavor == SL__OWN;
    sl_json_key(j, "responses");
    sl_json_open(j, '{');
    openapi_put_answer(j, is_accepted ? "202" : "200", row->text, r->response);
    if (r->id == SL__ROUTE_drain_start)
        openapi_put_answer(j, "200", "With dry_run: the plan.", "DrainPlan");
    openapi_put_answer(j, "default", "Why not.", is_own ? "Error" : "ReferenceError");
    sl_json_close(j, '}');
}

static void openapi_put_parameter(struct sl_json_out *j, struct sl_str name)
{
    char text[32];
    struct sl_text t;
    sl_text_init(&t, text, sizeof text);
    sl_text_str(&t, name);
    sl_json_open(j, '{');
    sl__put_cstr(j, "name", text);
    sl__put_cstr(j, "in", "path");
    sl__put_bool(j, "required", true);
    sl_json_key(j, "schema");
    sl_json_open(j, '{');
    sl__put_cstr(j, "type", "string");
    sl_json_close(j, '}');
    sl_json_close(j, '}');
}

static void openapi_put_parameters(struct sl_json_out *j, const char *path)
{
    const char *at = strchr(path, '{');
    if (!at)
        return;
    sl_json_key(j, "parameters");
    sl_json_open(j, '[');
    for (; at; at = strchr(at + 1, '{'))
        openapi_put_parameter(j, (struct sl_str){ at + 1, strcspn(at + 1, "}") });
    sl_json_close(j, ']');
}

static void openapi_put_rights(struct sl_json_out *j, const struct sl__route *r)
{
    static const char *const roles[] = { "public", "viewer", "operator" };
    static const char *const places[] = { "any node", "coordinator", "maintainer's node" };
    sl__put_cstr(j, "x-role", roles[r->role]);
    sl__put_cstr(j, "x-answered-by", places[r->where]);
    if (r->role == SL__PUBLIC)
        return;
    sl_json_key(j, "security");
    sl_json_open(j, '[');
    sl_json_open(j, '{');
    sl_json_key(j, "basic");
    sl_json_open(j, '[');
    sl_json_close(j, ']');
    sl_json_close(j, '}');
    sl_json_close(j, ']');
}

static void openapi_put_route(struct sl_json_out *j, const struct sl__route *r)
{
    char method[8] = { 0 };
    for (size_t i = 0; i + 1 < sizeof method && r->method[i] != '\0'; i++)
        method[i] = (char)(r->method[i] | 0x20);
    sl_json_key(j, method);
    sl_json_open(j, '{');
    sl__put_cstr(j, "operationId", r->name);
    sl__put_cstr(j, "summary", r->summary);
    openapi_put_rights(j, r);
    openapi_put_parameters(j, r->path);
    if (strcmp(r->request, "NONE") != 0) {
        sl_json_key(j, "requestBody");
        sl_json_open(j, '{');
        openapi_put_content(j, r->request);
        sl_json_close(j, '}');
    }
    openapi_put_answers(j, r);
    sl_json_close(j, '}');
}

static bool openapi_is_first(uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (strcmp(sl__route_at(i)->path, sl__route_at(index)->path) == 0)
            return false;
    }
    return true;
}

static void openapi_put_paths(struct sl_json_out *j)
{
    sl_json_key(j, "paths");
    sl_json_open(j, '{');
    for (uint32_t i = 0; i < SL__ROUTE_COUNT; i++) {
        if (!openapi_is_first(i))
            continue;
        sl_json_key(j, sl__route_at(i)->path);
        sl_json_open(j, '{');
        for (uint32_t k = i; k < SL__ROUTE_COUNT; k++) {
            if (strcmp(sl__route_at(k)->path, sl__route_at(i)->path) == 0)
                openapi_put_route(j, sl__route_at(k));
        }
        sl_json_close(j, '}');
    }
    sl_json_close(j, '}');
}

void sl_openapi_render(struct sl_json_out *j, const void *version)
{
    sl_json_open(j, '{');
    sl__put_cstr(j, "openapi", "3.1.0");
    sl_json_key(j, "info");
    sl_json_open(j, '{');
    sl__put_cstr(j, "title", "Sluice");
    sl__put_cstr(j, "version", version);
    sl__put_cstr(j, "description",
                 "The HTTP API of a node of a Sluice cluster. Any node may be asked: what another one has to answer is "
                 "forwarded there.");
    sl_json_close(j, '}');
    openapi_put_paths(j);
    sl_json_key(j, "components");
    sl_json_open(j, '{');
    openapi_put_schemas(j);
    sl_json_key(j, "securitySchemes");
    sl_json_open(j, '{');
    sl_json_key(j, "basic");
    sl_json_open(j, '{');
    sl__put_cstr(j, "type", "http");
    sl__put_cstr(j, "scheme", "basic");
    sl_json_close(j, '}');
    sl_json_close(j, '}');
    sl_json_close(j, '}');
    sl_json_close(j, '}');
}

void sl__on_openapi(struct sl__call *c)
{
    sl__answer_json(c, 200, sl_openapi_render, c->api->opts.version);
}
