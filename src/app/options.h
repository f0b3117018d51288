/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_APP_OPTIONS_H
#define SL_APP_OPTIONS_H

#include "app/exits.h"
#include "base/str.h"
#include "base/units.h"

#include <stddef.h>
#include <stdio.h>

/*
 * The options of sluiced: one table (options.def), four places a value can come from. Of several the strongest wins:
 *
 *     default  <  file (--config)  <  environment (SLUICE_*)  <  flag
 *
 * Texts are owned by the options. All values are checked when they are set, so that whoever reads a field finds
 * something that makes sense by itself; what must fit together is checked by sl_options_check.
 */
enum sl_option_type {
    SL_OPTION_TEXT,
    SL_OPTION_SECRET,
    SL_OPTION_LIST,
    SL_OPTION_NS,
    SL_OPTION_BYTES,
    SL_OPTION_COUNT,
    SL_OPTION_BOOL,
    SL_OPTION_CHOICE
};
enum sl_option_reload { SL_OPTION_START, SL_OPTION_LIVE };
enum sl_option_origin { SL_FROM_DEFAULT, SL_FROM_FILE, SL_FROM_ENVIRONMENT, SL_FROM_FLAG };

enum sl_option_id {
#define SL_OPTION_GROUP(title)
#define SL_OPTION(type, field, flag, fallback, value, reload, help) SL_OPTION_ID_##field,
#include "app/options.def"
#undef SL_OPTION
    SL_OPTION_COUNT_ALL
};

#define SL_OPTION_FIELD_TEXT(field) char *field;
#define SL_OPTION_FIELD_SECRET(field) char *field;
#define SL_OPTION_FIELD_LIST(field) char *field;
#define SL_OPTION_FIELD_NS(field) sl_ns field;
#define SL_OPTION_FIELD_BYTES(field) uint64_t field;
#define SL_OPTION_FIELD_COUNT(field) uint32_t field;
#define SL_OPTION_FIELD_BOOL(field) bool field;
#define SL_OPTION_FIELD_CHOICE(field) uint32_t field; /* index of the word */

struct sl_options {
#define SL_OPTION(type, field, flag, fallback, value, reload, help) SL_OPTION_FIELD_##type(field)
#include "app/options.def"
#undef SL_OPTION
#undef SL_OPTION_GROUP
    enum sl_option_origin origin[SL_OPTION_COUNT_ALL];
};

struct sl_option_row {
    const char *flag, *fallback, *value, *help;
    enum sl_option_type type;
    enum sl_option_reload reload;
    size_t offset; /* in struct sl_options */
};
const struct sl_option_row *sl_option_row(enum sl_option_id id); /* static */
/* SL_OPTION_COUNT_ALL if there is none. '_' counts as '-'. */
enum sl_option_id sl_option_find(const char *flag, size_t len);
/* The flag that looks most like it, or null. Static. */
const char *sl_option_nearest(const char *flag, size_t len);
/* "SLUICE_LOG_LEVEL" into memory of at least SL_OPTION_ENV_BYTES. */
#define SL_OPTION_ENV_BYTES 64
void sl_option_env(enum sl_option_id id, char *out);

void sl_options_init(struct sl_options *o); /* all defaults */
void sl_options_deinit(struct sl_options *o);

/* False (c says why, *o is unchanged): the text is no value of this option. No effect if a stronger origin set it. */
bool sl_options_set(struct sl_options *o, enum sl_option_id id, const char *text, enum sl_option_origin origin,
                    struct sl_complaint *c);
/* Keys of YAML. A mapping inside joins its keys by '-': "log: {level: warn}" is log-level. path: for complaints. */
bool sl_options_read_text(struct sl_options *o, struct sl_str text, const char *path, struct sl_complaint *c);
bool sl_options_read_file(struct sl_options *o, const char *path, struct sl_complaint *c);
/* Everything, in order of strength. getter is getenv. Words that are no flags are an error. */
bool sl_options_read(struct sl_options *o, int argc, char *const *argv, char *(*getter)(const char *),
                     struct sl_complaint *c);
/* What depends on several options, and what is derived from others when not given (meta, name, advertise_addr). */
bool sl_options_check(struct sl_options *o, struct sl_complaint *c);

/* The value as sl_options_set would take it, into the caller's memory; secrets as "***". */
void sl_options_show(const struct sl_options *o, enum sl_option_id id, char *out, size_t size);
/* The i-th word of a CHOICE, or null. Its end is where *len says. */
const char *sl_option_word(enum sl_option_id id, uint32_t index, size_t *len);

void sl_options_print_help(FILE *out);
void sl_options_print_config(const struct sl_options *o, FILE *out);

/*
 * The first line of a file, without its end, for secrets that are kept in files. No path: the empty text. The caller
 * wipes out.
 */
bool sl_read_first_line(const char *flag, const char *path, char *out, size_t size, struct sl_complaint *c);

/* ---- parsing of values, for others too ---- */
/* "150ms", "10s", "5m", "2h", "1d", also joined: "1h30m"; a plain "0". At most about 292 years. */
bool sl_parse_ns(const char *text, sl_ns *out);
/* "4096", "64KiB", "256MiB", "1GiB", "2TiB"; "k", "M", "G" mean the same powers of 1024. */
bool sl_parse_bytes(const char *text, uint64_t *out);
/* "host:port", "[::1]:port"; *host_len is that of the host without brackets. Port 0 is allowed. */
bool sl_parse_address(const char *text, const char **host, size_t *host_len, uint16_t *port);

#endif
