/* SPDX-License-Identifier: Apache-2.0 */
#include "port/uri.h"
#include "tests/support/sl_test.h"

#include <string.h>

static struct sl_secret secret(const char *text)
{
    return sl_secret_of((struct sl_bytes){ (const uint8_t *)text, strlen(text) });
}

static bool is(struct sl_str s, const char *text)
{
    return sl_str_eq(s, sl_str_of(text));
}

static void parts_of_a_uri_are_found(void **state)
{
    (void)state;
    struct sl_uri u;
    struct sl_trouble t;
    assert_true(sl_uri_parse(&u, secret("mysql://root:p@ss:w@db.example:3306/a/b?x=1&&y=&z"), &t));
    assert_true(is(u.scheme, "mysql") && is(u.user, "root") && is(u.password, "p@ss:w") && is(u.host, "db.example"));
    assert_true(is(u.path, "/a/b"));
    sl_assert_u64(u.port, 3306);
    struct sl_uri_param p;
    assert_true(sl_uri_next_param(&u.query, &p) && is(p.name, "x") && is(p.value, "1"));
    assert_true(sl_uri_next_param(&u.query, &p) && is(p.name, "y") && is(p.value, ""));
    assert_true(sl_uri_next_param(&u.query, &p) && is(p.name, "z") && is(p.value, ""));
    assert_false(sl_uri_next_param(&u.query, &p));
}

static void address_may_be_ipv6_or_absent(void **state)
{
    (void)state;
    struct sl_uri u;
    struct sl_trouble t;
    assert_true(sl_uri_parse(&u, secret("x://[::1]:99/"), &t));
    assert_true(is(u.host, "::1"));
    sl_assert_u64(u.port, 99);
    assert_true(sl_uri_parse(&u, secret("x://[::1]"), &t));
    sl_assert_u64(u.port, 0);
    assert_true(sl_uri_parse(&u, secret("file:///var/lib"), &t));
    assert_true(is(u.host, "") && is(u.path, "/var/lib"));
}

static void what_is_no_uri_is_refused_and_never_repeated(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",         "mysql",      "mysql:/x",        "://x",
        "1x://h",   "x://h:0",    "x://h:65536",     "x://h:secret1",
        "x://[::1", "x://[::1]x", "x://a b/secret1", "x://\x01/secret1",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sl_uri u;
        struct sl_trouble t = { 0 };
        assert_false(sl_uri_parse(&u, secret(bad[i]), &t));
        sl_assert_str(t.code, "BAD_URI");
        assert_null(strstr(t.detail, "secret1"));
        assert_null(u.scheme.ptr);
    }
    char large[5000];
    struct sl_uri u;
    struct sl_trouble t;
    memset(large, 'a', sizeof large);
    memcpy(large, "x://", 4);
    assert_false(sl_uri_parse(&u, sl_secret_of((struct sl_bytes){ (const uint8_t *)large, sizeof large }), &t));
}

static void percent_signs_are_decoded(void **state)
{
    (void)state;
    char out[16];
    assert_true(sl_uri_decode(out, sizeof out, SL_STR("a%20b%2Fc+d")));
    sl_assert_str(out, "a b/c+d");
    assert_true(sl_uri_decode(out, sizeof out, SL_STR("")));
    sl_assert_str(out, "");
    assert_false(sl_uri_decode(out, sizeof out, SL_STR("a%2")));
    assert_false(sl_uri_decode(out, sizeof out, SL_STR("a%zz")));
    assert_false(sl_uri_decode(out, sizeof out, SL_STR("a%00")));
    assert_false(sl_uri_decode(out, 4, SL_STR("abcd")));
    assert_false(sl_uri_decode(out, 0, SL_STR("")));
}

static void numbers_are_exact(void **state)
{
    (void)state;
    uint64_t n = 0;
    assert_true(sl_uri_u64(&n, SL_STR("18446744073709551615"), UINT64_MAX));
    sl_assert_u64(n, UINT64_MAX);
    assert_false(sl_uri_u64(&n, SL_STR("18446744073709551616"), UINT64_MAX));
    assert_false(sl_uri_u64(&n, SL_STR("11"), 10));
    assert_false(sl_uri_u64(&n, SL_STR(""), 10));
    assert_false(sl_uri_u64(&n, SL_STR("-1"), 10));
    bool yes = false;
    assert_true(sl_uri_bool(&yes, SL_STR("true")) && yes);
    assert_true(sl_uri_bool(&yes, SL_STR("0")) && !yes);
    assert_false(sl_uri_bool(&yes, SL_STR("maybe")));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_of_a_uri_are_found),
        cmocka_unit_test(address_may_be_ipv6_or_absent),
        cmocka_unit_test(what_is_no_uri_is_refused_and_never_repeated),
        cmocka_unit_test(percent_signs_are_decoded),
        cmocka_unit_test(numbers_are_exact),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
