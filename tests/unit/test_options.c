/* SPDX-License-Identifier: Apache-2.0 */
#include "app/options.h"

#include "tests/support/sl_test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *env_name, *env_value;

static char *fake_getenv(const char *name)
{
    static char value[256];
    if (!env_name || strcmp(name, env_name) != 0)
        return NULL;
    snprintf(value, sizeof value, "%s", env_value);
    return value;
}

struct fixture {
    struct sl_options o;
    struct sl_complaint c;
    char path[64];
};

static void setup(struct fixture *f)
{
    *f = (struct fixture){ 0 };
    env_name = NULL;
    sl_options_init(&f->o);
}

static void teardown(struct fixture *f)
{
    sl_options_deinit(&f->o);
    if (f->path[0] != '\0')
        unlink(f->path);
}

static void write_file(struct fixture *f, const char *text)
{
    snprintf(f->path, sizeof f->path, "/tmp/sl_test_options_XXXXXX");
    int fd = mkstemp(f->path);
    assert_true(fd >= 0);
    sl_assert_i64(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static bool read_words(struct fixture *f, const char *const *words)
{
    char *argv[16] = { (char *)"sluiced" };
    int argc = 1;
    for (; words[argc - 1]; argc++)
        argv[argc] = (char *)words[argc - 1];
    return sl_options_read(&f->o, argc, argv, fake_getenv, &f->c);
}
#define READ(f, ...) read_words((f), (const char *const[]){ __VA_ARGS__, NULL })

static void defaults_are_those_of_the_table(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    sl_assert_str(f.o.addr, "127.0.0.1:8300");
    sl_assert_i64(f.o.lease_ttl, 10 * SL_S);
    sl_assert_u64(f.o.memory_rows, (uint64_t)256 << 20);
    sl_assert_u64(f.o.log_level, 1);
    assert_false(f.o.drain_on_stop);
    assert_true(sl_options_check(&f.o, &f.c));
    sl_assert_str(f.o.meta, "sqlite:sluice-data/meta.db");
    sl_assert_str(f.o.advertise_addr, "127.0.0.1:8300");
    teardown(&f);
}

static void a_flag_wins_over_environment_over_file_over_default(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    write_file(&f, "name: from-file\nlease-ttl: 7s\nlog-level: warn\n");
    env_name = "SLUICE_NAME";
    env_value = "from-env";
    assert_true(READ(&f, "--log-level", "error", "--config", f.path));
    sl_assert_str(f.o.name, "from-env");
    sl_assert_i64(f.o.lease_ttl, 7 * SL_S);
    sl_assert_u64(f.o.log_level, 3);
    sl_assert_i64(f.o.origin[SL_OPTION_ID_name], SL_FROM_ENVIRONMENT);
    sl_assert_i64(f.o.origin[SL_OPTION_ID_addr], SL_FROM_DEFAULT);
    teardown(&f);
}

static void flags_take_values_with_a_blank_or_an_equals_sign(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    assert_true(READ(&f, "--name=a", "--cluster-id", "b", "--interop", "--drain-on-stop=true"));
    sl_assert_str(f.o.name, "a");
    sl_assert_str(f.o.cluster_id, "b");
    assert_true(f.o.interop && f.o.drain_on_stop);
    teardown(&f);
}

static void an_unknown_flag_is_refused_with_the_nearest_known_one(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    assert_false(READ(&f, "--advertise-adr", "h:1"));
    sl_assert_i64(f.c.exit, SL_EXIT_USAGE);
    assert_non_null(strstr(f.c.text, "did you mean 'advertise-addr'?"));
    assert_false(READ(&f, "--zzzzzzzzzzzzzzzz"));
    assert_non_null(strstr(f.c.text, "--help"));
    assert_false(READ(&f, "-x"));
    assert_false(READ(&f, "start"));
    assert_false(READ(&f, "--name"));
    assert_non_null(strstr(f.c.text, "NAME"));
    teardown(&f);
}

static void bad_values_are_refused_and_change_nothing(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    assert_false(READ(&f, "--lease-ttl", "ten"));
    assert_false(READ(&f, "--lease-ttl", "10x"));
    assert_false(READ(&f, "--lease-ttl", "99999999999d"));
    assert_false(READ(&f, "--memory-rows", "1XB"));
    assert_false(READ(&f, "--interop=maybe"));
    assert_false(READ(&f, "--threads", "-1"));
    assert_false(READ(&f, "--log-level", "loud"));
    assert_non_null(strstr(f.c.text, "debug|info|warn|error"));
    assert_false(READ(&f, "--name", "a\x01"));
    sl_assert_i64(f.o.lease_ttl, 10 * SL_S);
    sl_assert_u64(f.o.memory_rows, (uint64_t)256 << 20);
    sl_assert_str(f.o.name, "");
    teardown(&f);
}

static void keys_of_the_file_may_nest_and_lists_may_be_sequences(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    write_file(&f, "# a comment\nlog:\n  level: debug\n  format: json\ncert_allowed_cn: [a, b]\n"
                   "meta:\n  user: x\ndrain: {on: {stop: yes}, timeout: 1m30s}\n");
    assert_true(READ(&f, "--config", f.path));
    sl_assert_u64(f.o.log_level, 0);
    sl_assert_u64(f.o.log_format, 1);
    sl_assert_str(f.o.cert_allowed_cn, "a,b");
    sl_assert_str(f.o.meta_user, "x");
    assert_true(f.o.drain_on_stop);
    sl_assert_i64(f.o.drain_timeout, 90 * SL_S);
    teardown(&f);
}

struct bad_file {
    const char *text, *says;
};

static void a_bad_file_is_refused_with_its_line(void **state)
{
    (void)state;
    static const struct bad_file files[] = {
        { "name: a\nnmae: b\n", ":2: unknown option 'nmae': did you mean 'name'?" },
        { "name: a\n\nlease-ttl: soon\n", ":3: --lease-ttl: 'soon'" },
        { "name: 'a\n", ": not YAML" },
        { "name: a\nname: b\n", ":2: this option is set a second time" },
        { "- a\n- b\n", ":1: this file is not YAML with lines 'option: value' (TOML and INI are not read)" },
        { "name: &x a\n", ":1: anchors" },
        { "name: *x\n", ":1: anchors" },
        { "name: [a, b]\n", ":1: this option takes one value" },
        { "pd: [[a]]\n", ":1: a list may hold short texts only" },
        { "config: x\n", ":1: this option is for the command line only" },
        { "a: {b: {c: {d: {e: 1}}}}\n", ":1: mappings inside" },
        { "? [a]\n: b\n", ":1: a key must be a word" },
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct fixture f;
        setup(&f);
        write_file(&f, files[i].text);
        assert_false(READ(&f, "--config", f.path));
        sl_assert_i64(f.c.exit, SL_EXIT_CONFIG);
        if (!strstr(f.c.text, files[i].says))
            sl_assert_str(f.c.text, files[i].says);
        teardown(&f);
    }
}

static void an_empty_file_is_a_file_without_options(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    write_file(&f, "# WARNING: This file is auto-generated\n");
    assert_true(READ(&f, "--config", f.path));
    teardown(&f);
    setup(&f);
    assert_false(READ(&f, "--config", "/nonexistent/x.yaml"));
    assert_non_null(strstr(f.c.text, "No such file"));
    teardown(&f);
}

static void old_endpoints_of_etcd_become_a_store(void **state)
{
    (void)state;
    struct fixture f;
    setup(&f);
    assert_true(READ(&f, "--pd", "http://h1:2379,http://h2:2379", "--gc-ttl", "86400", "--tz", "System"));
    assert_true(sl_options_check(&f.o, &f.c));
    sl_assert_str(f.o.meta, "http://h1:2379,http://h2:2379"); /* whether TLS is spoken is kept */
    teardown(&f);
    setup(&f);
    assert_true(READ(&f, "--pd", "h1:2379,h2:2379"));
    assert_true(sl_options_check(&f.o, &f.c));
    sl_assert_str(f.o.meta, "etcd://h1:2379,h2:2379");
    teardown(&f);
    setup(&f);
    assert_true(READ(&f, "--pd", "http://h1:2379", "--meta", "sqlite:x"));
    assert_false(sl_options_check(&f.o, &f.c));
    teardown(&f);
}

struct bad_set {
    enum sl_option_id id;
    const char *value;
    enum sl_exit exit;
};

static void what_does_not_fit_together_is_refused(void **state)
{
    (void)state;
    static const struct bad_set sets[] = {
        { SL_OPTION_ID_addr, "nowhere", SL_EXIT_ADDRESS },
        { SL_OPTION_ID_addr, "h:70000", SL_EXIT_ADDRESS },
        { SL_OPTION_ID_addr, "::1:80", SL_EXIT_ADDRESS },
        { SL_OPTION_ID_addr, "0.0.0.0:8300", SL_EXIT_ADDRESS },
        { SL_OPTION_ID_advertise_addr, "h", SL_EXIT_ADDRESS },
        { SL_OPTION_ID_cluster_id, "a/b", SL_EXIT_CONFIG },
        { SL_OPTION_ID_name, "a/b", SL_EXIT_CONFIG },
        { SL_OPTION_ID_name, "..", SL_EXIT_CONFIG },
        { SL_OPTION_ID_meta, "mysql://x", SL_EXIT_CONFIG },
        { SL_OPTION_ID_meta, "sqlite:", SL_EXIT_CONFIG },
        { SL_OPTION_ID_cert, "x", SL_EXIT_CONFIG },
        { SL_OPTION_ID_mtls, "true", SL_EXIT_CONFIG },
        { SL_OPTION_ID_lease_ttl, "500ms", SL_EXIT_CONFIG },
        { SL_OPTION_ID_memory_rows, "1MiB", SL_EXIT_CONFIG },
    };
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        struct fixture f;
        setup(&f);
        assert_true(sl_options_set(&f.o, sets[i].id, sets[i].value, SL_FROM_FLAG, &f.c));
        if (sl_options_check(&f.o, &f.c))
            sl_assert_str(sets[i].value, "refused");
        sl_assert_i64(f.c.exit, sets[i].exit);
        teardown(&f);
    }
}

static void addresses_are_hosts_and_ports(void **state)
{
    (void)state;
    const char *host;
    size_t len;
    uint16_t port;
    assert_true(sl_parse_address("[::1]:8300", &host, &len, &port));
    sl_assert_u64(len, 3);
    sl_assert_u64(port, 8300);
    assert_true(sl_parse_address("h:0", &host, &len, &port));
    assert_false(sl_parse_address(":80", &host, &len, &port));
    assert_false(sl_parse_address("h:", &host, &len, &port));
    assert_false(sl_parse_address("h:+1", &host, &len, &port));
    assert_false(sl_parse_address("[]:1", &host, &len, &port));
}

static void no_text_shows_a_secret(void **state)
{
    (void)state;
    struct fixture f;
    char *text = NULL;
    size_t size = 0;
    setup(&f);
    assert_true(READ(&f, "--meta", "etcd://user:canary@h:1"));
    FILE *out = open_memstream(&text, &size);
    sl_options_print_config(&f.o, out);
    fclose(out);
    assert_null(strstr(text, "canary"));
    assert_non_null(strstr(text, "meta: '***' # flag"));
    free(text);
    assert_true(sl_options_set(&f.o, SL_OPTION_ID_meta, "canary", SL_FROM_FLAG, &f.c));
    assert_false(sl_options_check(&f.o, &f.c));
    assert_null(strstr(f.c.text, "canary"));
    teardown(&f);
}

/* What --print-config prints is a file that says the same. */
static void a_printed_configuration_can_be_read_again(void **state)
{
    (void)state;
    struct fixture f, g;
    char *text = NULL;
    size_t size = 0;
    setup(&f);
    assert_true(READ(&f, "--name", "it's: a #name", "--lease-ttl", "90s", "--memory-rows", "1GiB", "--interop"));
    FILE *out = open_memstream(&text, &size);
    sl_options_print_config(&f.o, out);
    fclose(out);
    setup(&g);
    write_file(&g, text);
    assert_true(READ(&g, "--config", g.path));
    sl_assert_str(g.o.name, "it's: a #name");
    sl_assert_i64(g.o.lease_ttl, 90 * SL_S);
    sl_assert_u64(g.o.memory_rows, (uint64_t)1 << 30);
    assert_true(g.o.interop);
    free(text);
    teardown(&f);
    teardown(&g);
}

static void help_names_every_option(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    sl_options_print_help(out);
    fclose(out);
    for (unsigned id = 0; id < SL_OPTION_COUNT_ALL; id++) {
        char flag[64];
        snprintf(flag, sizeof flag, "  --%s", sl_option_row((enum sl_option_id)id)->flag);
        assert_non_null(strstr(text, flag));
    }
    free(text);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_table),
        cmocka_unit_test(a_flag_wins_over_environment_over_file_over_default),
        cmocka_unit_test(flags_take_values_with_a_blank_or_an_equals_sign),
        cmocka_unit_test(an_unknown_flag_is_refused_with_the_nearest_known_one),
        cmocka_unit_test(bad_values_are_refused_and_change_nothing),
        cmocka_unit_test(keys_of_the_file_may_nest_and_lists_may_be_sequences),
        cmocka_unit_test(a_bad_file_is_refused_with_its_line),
        cmocka_unit_test(an_empty_file_is_a_file_without_options),
        cmocka_unit_test(old_endpoints_of_etcd_become_a_store),
        cmocka_unit_test(what_does_not_fit_together_is_refused),
        cmocka_unit_test(addresses_are_hosts_and_ports),
        cmocka_unit_test(no_text_shows_a_secret),
        cmocka_unit_test(a_printed_configuration_can_be_read_again),
        cmocka_unit_test(help_names_every_option),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
