/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_SIM_SCRIPT_INTERNAL_H
#define SL_SIM_SCRIPT_INTERNAL_H

#include "sim/script.h"

#define SCRIPT_WORDS_MAX 24

struct script_words {
    const char *at[SCRIPT_WORDS_MAX]; /* NUL-terminated; commas are dropped */
    uint32_t count;
};

/* What a command came to. Wrong words are an error of the script, a failed expectation one of the cluster. */
enum script_result { SCRIPT_OK, SCRIPT_BAD_WORDS };
typedef enum script_result script_handler(struct sl_sim_script *s, const struct script_words *w);

struct script_command {
    const char *pattern; /* words; "*" stands for any one word, "..." at the end for any rest */
    script_handler *handler;
    const char *text;
};

/* The tables, ended by a null pattern. */
extern const struct script_command sl_sim__script_commands[];
extern const struct script_command sl_sim__script_shows[];

/* "5s", "20ms", "3us" -> nanoseconds; "3" -> number. False: it is neither. */
bool sl_sim__script_duration(const char *word, sl_ns *out);
bool sl_sim__script_number(const char *word, uint64_t *out);
/* A number, or "#1": an epoch that the story has shown. */
bool sl_sim__script_epoch(const struct sl_sim_script *s, const char *word, uint64_t *out);
/* The host of a name or node id; SL_SIM_HOST_NONE and a failure line if there is none. */
uint32_t sl_sim__script_host(struct sl_sim_script *s, const char *word);
uint32_t sl_sim__script_feed(struct sl_sim_script *s, const char *word);
/* The value of the word "key=value", or a null pointer. */
const char *sl_sim__script_option(const struct script_words *w, const char *key);
/* Index of a word, or count. */
uint32_t sl_sim__script_find(const struct script_words *w, const char *word);

void sl_sim__script_fail(struct sl_sim_script *s, const char *fmt, ...) SL_PRINTF(2, 3);

/* Whether the condition of words [from, to) holds. *is_known: there is such a condition. */
bool sl_sim__script_holds(struct sl_sim_script *s, const struct script_words *w, uint32_t from, uint32_t to,
                          bool *is_known, char why[SL_SIM_WHY]);

#endif
