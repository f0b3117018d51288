/* SPDX-License-Identifier: Apache-2.0 */
/* Two TLS connections in memory, with certificates made by the test. */
#include "edge/tls/tls.h"
#include "tests/support/sl_certs.h"
#include "tests/support/sl_test.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct sl_certs certs;

struct ends {
    struct sl_tls_conn *server, *client;
    enum sl_code server_code, client_code;
    struct sl_err server_err, client_err;
};

static enum sl_code carry(struct sl_tls_conn *from, struct sl_tls_conn *to, bool *any, struct sl_err *e)
{
    uint8_t bytes[700];
    enum sl_code code = SL_OK;
    size_t len;
    while (code == SL_OK && (len = sl_tls_conn_output(from, bytes, sizeof bytes)) > 0) {
        *any = true;
        code = sl_tls_conn_receive(to, (struct sl_bytes){ bytes, len }, e);
    }
    return code;
}

/* Reads what TLS 1.3 says after the handshake, alerts too. */
static void poke(struct sl_tls_conn *c, enum sl_code *code, struct sl_err *e)
{
    uint8_t bytes[64];
    size_t len;
    bool eof;
    if (*code == SL_OK) {
        *code = sl_tls_conn_read(c, bytes, sizeof bytes, &len, &eof, e);
    }
}

static void shake(struct ends *ends, struct sl_tls *server, struct sl_tls *client, const char *host)
{
    memset(ends, 0, sizeof *ends);
    sl_assert_i64(sl_tls_accept_new(&ends->server, server, &ends->server_err), SL_OK);
    sl_assert_i64(sl_tls_dial_new(&ends->client, client, host, &ends->client_err), SL_OK);
    bool any = true;
    while (any) {
        any = false;
        if (ends->server_code == SL_OK) {
            ends->server_code = carry(ends->client, ends->server, &any, &ends->server_err);
        }
        if (ends->client_code == SL_OK) {
            ends->client_code = carry(ends->server, ends->client, &any, &ends->client_err);
        }
    }
    poke(ends->server, &ends->server_code, &ends->server_err);
    poke(ends->client, &ends->client_code, &ends->client_err);
}

static void part(struct ends *ends, struct sl_tls *server, struct sl_tls *client)
{
    sl_tls_conn_free(ends->server);
    sl_tls_conn_free(ends->client);
    sl_tls_unref(server);
    sl_tls_unref(client);
}

static void assert_says(const struct sl_err *e, const char *text)
{
    if (strstr(e->text, text) == NULL) {
        sl_assert_str(e->text, text);
    }
}

static void a_handshake_chooses_h2_and_tells_the_names(void **state)
{
    (void)state;
    struct ends ends;
    struct sl_tls *server = sl_certs_tls(&certs, "ca", "n1", true, NULL, 0);
    struct sl_tls *client = sl_certs_tls(&certs, "ca", "n2", false, NULL, 0);
    shake(&ends, server, client, "localhost");
    assert_true(sl_tls_conn_is_ready(ends.server) && sl_tls_conn_is_ready(ends.client));
    sl_assert_i64(sl_tls_conn_alpn(ends.server), SL_TLS_ALPN_H2);
    sl_assert_str(sl_tls_conn_peer_name(ends.server), "node-2");
    sl_assert_str(sl_tls_conn_peer_name(ends.client), "node-1");
    part(&ends, server, client);
}

static void bytes_travel_both_ways_until_the_goodbye(void **state)
{
    (void)state;
    static uint8_t text[100000], back[100000];
    struct ends ends;
    struct sl_tls *server = sl_certs_tls(&certs, "ca", "n1", false, NULL, 0);
    struct sl_tls *client = sl_certs_tls(&certs, "ca", NULL, false, NULL, 0);
    size_t got = 0, len = 0;
    bool any = false, eof = false;
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (uint8_t)(i * 31);
    }
    shake(&ends, server, client, "127.0.0.1");
    sl_assert_i64(sl_tls_conn_write(ends.client, (struct sl_bytes){ text, sizeof text }, NULL), SL_OK);
    sl_tls_conn_shutdown(ends.client);
    sl_assert_i64(carry(ends.client, ends.server, &any, NULL), SL_OK);
    do {
        sl_assert_i64(sl_tls_conn_read(ends.server, back + got, sizeof back - got, &len, &eof, NULL), SL_OK);
        got += len;
    } while (len > 0 && got < sizeof back);
    sl_assert_mem(back, text, sizeof text);
    sl_assert_i64(sl_tls_conn_read(ends.server, back, sizeof back, &len, &eof, NULL), SL_OK);
    assert_true(eof);
    part(&ends, server, client);
}

static void a_name_on_the_list_is_let_in(void **state)
{
    (void)state;
    static const char *const names[] = { "somebody", "node-2" };
    struct ends ends;
    struct sl_tls *server = sl_certs_tls(&certs, "ca", "n1", false, names, 2);
    struct sl_tls *client = sl_certs_tls(&certs, "ca", "n2", false, NULL, 0);
    shake(&ends, server, client, "localhost");
    sl_assert_i64(ends.server_code, SL_OK);
    sl_assert_i64(ends.client_code, SL_OK);
    part(&ends, server, client);
}

static void the_own_name_is_always_on_the_list(void **state)
{
    (void)state;
    static const char *const names[] = { "somebody" };
    struct ends ends;
    struct sl_tls *server = sl_certs_tls(&certs, "ca", "n1", false, names, 1);
    struct sl_tls *client = sl_certs_tls(&certs, "ca", "n1", false, NULL, 0);
    shake(&ends, server, client, "localhost");
    sl_assert_i64(ends.server_code, SL_OK);
    part(&ends, server, client);
}

static void a_name_that_is_not_on_the_list_is_refused(void **state)
{
    (void)state;
    static const char *const names[] = { "somebody" };
    struct ends ends;
    struct sl_tls *server = sl_certs_tls(&certs, "ca", "n1", false, names, 1);
    struct sl_tls *client = sl_certs_tls(&certs, "ca", "n2", false, NULL, 0);
    shake(&ends, server, client, "localhost");
    sl_assert_i64(ends.server_code, SL_REFUSED);
    assert_says(&ends.server_err, "add it to the allowed names");
    sl_assert_i64(ends.client_code, SL_REFUSED);
    part(&ends, server, client);
}

static void a_client_without_a_certificate_is_refused(void **state)
{
    (void)state;
    struct ends ends;
    struct sl_tls *server = sl_certs_tls(&certs, "ca", "n1", true, NULL, 0);
    struct sl_tls *client = sl_certs_tls(&certs, "ca", NULL, false, NULL, 0);
    shake(&ends, server, client, "localhost");
    sl_assert_i64(ends.server_code, SL_REFUSED);
    assert_says(&ends.server_err, "no certificate");
    part(&ends, server, client);
}

static void a_client_of_another_authority_is_refused(void **state)
{
    (void)state;
    struct ends ends;
    struct sl_tls *server = sl_certs_tls(&certs, "ca", "n1", true, NULL, 0);
    struct sl_tls *client = sl_certs_tls(&certs, "ca", "stranger", false, NULL, 0);
    shake(&ends, server, client, "localhost");
    sl_assert_i64(ends.server_code, SL_REFUSED);
    assert_says(&ends.server_err, "check CA, name and dates");
    part(&ends, server, client);
}

static void a_server_of_another_authority_is_refused(void **state)
{
    (void)state;
    struct ends ends;
    struct sl_tls *server = sl_certs_tls(&certs, "ca", "stranger", false, NULL, 0);
    struct sl_tls *client = sl_certs_tls(&certs, "ca", "n2", false, NULL, 0);
    shake(&ends, server, client, "localhost");
    sl_assert_i64(ends.client_code, SL_REFUSED);
    sl_assert_i64(ends.server_code, SL_REFUSED);
    part(&ends, server, client);
}

static void a_server_with_a_certificate_for_another_host_is_refused(void **state)
{
    (void)state;
    struct ends ends;
    struct sl_tls *server = sl_certs_tls(&certs, "ca", "n1", false, NULL, 0);
    struct sl_tls *client = sl_certs_tls(&certs, "ca", NULL, false, NULL, 0);
    shake(&ends, server, client, "127.0.0.2");
    sl_assert_i64(ends.client_code, SL_REFUSED);
    part(&ends, server, client);
}

/* A client of OpenSSL's own against our accepting side: what it negotiates. */
static enum sl_code foreign_client(const unsigned char *alpn, unsigned alpn_len, int version_max,
                                   enum sl_tls_alpn *chosen)
{
    struct sl_err e = { .code = SL_OK };
    struct sl_tls *server = sl_certs_tls(&certs, "ca", "n1", false, NULL, 0);
    struct sl_tls_conn *conn = NULL;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(ctx, 0);
    sl_assert_i64(SSL_CTX_set_max_proto_version(ctx, version_max), 1);
    SSL *ssl = SSL_new(ctx);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    if (alpn_len > 0) {
        sl_assert_i64(SSL_set_alpn_protos(ssl, alpn, alpn_len), 0);
    }
    sl_assert_i64(sl_tls_accept_new(&conn, server, &e), SL_OK);
    enum sl_code code = SL_OK;
    for (int round = 0; round < 6 && code == SL_OK; round++) {
        uint8_t bytes[4096];
        size_t len = 0;
        (void)SSL_do_handshake(ssl);
        while (code == SL_OK && BIO_read_ex(out, bytes, sizeof bytes, &len) == 1) {
            code = sl_tls_conn_receive(conn, (struct sl_bytes){ bytes, len }, &e);
        }
        while ((len = sl_tls_conn_output(conn, bytes, sizeof bytes)) > 0) {
            (void)BIO_write(in, bytes, (int)len);
        }
    }
    *chosen = sl_tls_conn_alpn(conn);
    assert_true(code != SL_OK || sl_tls_conn_is_ready(conn));
    sl_tls_conn_free(conn);
    sl_tls_unref(server);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    return code;
}

static void only_a_client_that_does_not_offer_http1_gets_h2(void **state)
{
    (void)state;
    enum sl_tls_alpn chosen;
    sl_assert_i64(foreign_client((const unsigned char *)"\x02h2", 3, TLS1_3_VERSION, &chosen), SL_OK);
    sl_assert_i64(chosen, SL_TLS_ALPN_H2);
    sl_assert_i64(foreign_client((const unsigned char *)"\x02h2\x08http/1.1", 12, TLS1_3_VERSION, &chosen), SL_OK);
    sl_assert_i64(chosen, SL_TLS_ALPN_HTTP1);
    sl_assert_i64(foreign_client((const unsigned char *)"\x03xyz", 4, TLS1_3_VERSION, &chosen), SL_OK);
    sl_assert_i64(chosen, SL_TLS_ALPN_NONE);
    sl_assert_i64(foreign_client(NULL, 0, TLS1_2_VERSION, &chosen), SL_OK);
    sl_assert_i64(chosen, SL_TLS_ALPN_NONE);
}

static void versions_below_1_2_are_refused(void **state)
{
    (void)state;
    enum sl_tls_alpn chosen;
    sl_assert_i64(foreign_client(NULL, 0, TLS1_1_VERSION, &chosen), SL_MALFORMED);
}

static void bytes_that_are_not_tls_are_refused(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.1\r\n\r\n";
    struct sl_err e = { .code = SL_OK };
    struct sl_tls *server = sl_certs_tls(&certs, "ca", "n1", false, NULL, 0);
    struct sl_tls_conn *conn = NULL;
    sl_assert_i64(sl_tls_accept_new(&conn, server, &e), SL_OK);
    struct sl_bytes bytes = { (const uint8_t *)text, sizeof text - 1 };
    sl_assert_i64(sl_tls_conn_receive(conn, bytes, &e), SL_MALFORMED);
    sl_tls_conn_free(conn);
    sl_tls_unref(server);
}

static void a_reload_serves_new_connections_and_a_failed_one_changes_nothing(void **state)
{
    (void)state;
    struct ends ends;
    struct sl_err e = { .code = SL_OK };
    sl_certs_issue(&certs, "changing", "ca", "before");
    struct sl_tls *server = sl_certs_tls(&certs, "ca", "changing", false, NULL, 0);
    struct sl_tls *client = sl_certs_tls(&certs, "ca", NULL, false, NULL, 0);
    sl_certs_issue(&certs, "changing", "ca", "after");
    sl_assert_i64(sl_tls_reload(server, &e), SL_OK);
    shake(&ends, server, client, "localhost");
    sl_assert_str(sl_tls_conn_peer_name(ends.client), "after");
    sl_tls_conn_free(ends.server);
    sl_tls_conn_free(ends.client);
    FILE *file = fopen(sl_certs_path(&certs, "changing", ".pem").text, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    sl_assert_i64(sl_tls_reload(server, &e), SL_BAD_CONFIG);
    assert_says(&e, "changing.pem");
    shake(&ends, server, client, "localhost");
    sl_assert_str(sl_tls_conn_peer_name(ends.client), "after");
    part(&ends, server, client);
}

static enum sl_code tls_of(const char *ca, const char *cert, const char *key, struct sl_err *e)
{
    struct sl_certs_path ca_path = sl_certs_path(&certs, ca, ".pem"), cert_path = sl_certs_path(&certs, cert, ".pem"),
                         key_path = sl_certs_path(&certs, key, ".key");
    struct sl_tls_opts opts = { .ca_path = ca_path.text, .cert_path = cert_path.text, .key_path = key_path.text };
    struct sl_tls *tls = NULL;
    enum sl_code code = sl_tls_new(&tls, &opts, e);
    assert_true((code == SL_OK) == (tls != NULL));
    sl_tls_unref(tls);
    return code;
}

static void a_bad_file_is_named_with_what_to_do(void **state)
{
    (void)state;
    struct sl_err e = { .code = SL_OK };
    sl_assert_i64(tls_of("missing", "n1", "n1", &e), SL_BAD_CONFIG);
    assert_says(&e, "missing.pem");
    sl_assert_i64(tls_of("ca", "missing", "n1", &e), SL_BAD_CONFIG);
    assert_says(&e, "No such file");
    sl_assert_i64(tls_of("ca", "n1", "n2", &e), SL_BAD_CONFIG);
    sl_certs_encrypt_key(&certs, "n1", "locked");
    sl_assert_i64(tls_of("ca", "n1", "locked", &e), SL_BAD_CONFIG); /* and nobody is asked for a password */
    assert_says(&e, "locked.key");
}

static void certificate_and_key_come_together(void **state)
{
    (void)state;
    struct sl_err e = { .code = SL_OK };
    struct sl_tls *tls = NULL;
    struct sl_tls_opts opts = { .cert_path = "x" };
    sl_assert_i64(sl_tls_new(&tls, &opts, &e), SL_BAD_CONFIG);
    assert_null(tls);
}

static int make_certs(void **state)
{
    (void)state;
    sl_certs_open(&certs);
    sl_certs_make_ca(&certs, "ca");
    sl_certs_make_ca(&certs, "other");
    sl_certs_issue(&certs, "n1", "ca", "node-1");
    sl_certs_issue(&certs, "n2", "ca", "node-2");
    sl_certs_issue(&certs, "stranger", "other", "node-1");
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handshake_chooses_h2_and_tells_the_names),
        cmocka_unit_test(bytes_travel_both_ways_until_the_goodbye),
        cmocka_unit_test(a_name_on_the_list_is_let_in),
        cmocka_unit_test(the_own_name_is_always_on_the_list),
        cmocka_unit_test(a_name_that_is_not_on_the_list_is_refused),
        cmocka_unit_test(a_client_without_a_certificate_is_refused),
        cmocka_unit_test(a_client_of_another_authority_is_refused),
        cmocka_unit_test(a_server_of_another_authority_is_refused),
        cmocka_unit_test(a_server_with_a_certificate_for_another_host_is_refused),
        cmocka_unit_test(only_a_client_that_does_not_offer_http1_gets_h2),
        cmocka_unit_test(versions_below_1_2_are_refused),
        cmocka_unit_test(bytes_that_are_not_tls_are_refused),
        cmocka_unit_test(a_reload_serves_new_connections_and_a_failed_one_changes_nothing),
        cmocka_unit_test(a_bad_file_is_named_with_what_to_do),
        cmocka_unit_test(certificate_and_key_come_together),
    };
    (void)make_certs(NULL);
    int status = sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
    sl_certs_close(&certs);
    return status;
}
