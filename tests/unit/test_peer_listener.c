/* SPDX-License-Identifier: Apache-2.0 */
/* The shared port against clients made of plain sockets. */
#include "edge/loop/timer.h"
#include "tests/support/sl_peers.h"
#include "tests/support/sl_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
    struct sl_peers net;
    struct sl_peers_node node;
};

static void open_plain_with(struct fixture *f, sl_ns classify_ns)
{
    sl_peers_open(&f->net);
    f->net.classify_ns = classify_ns;
    sl_peers_node_open(&f->net, &f->node, "node", 0, NULL, NULL);
}

static void open_plain(struct fixture *f)
{
    open_plain_with(f, 0);
}

static void close_all(struct fixture *f)
{
    if (f->node.http_fd >= 0) {
        (void)close(f->node.http_fd);
    }
    sl_peers_node_close(&f->node);
    sl_peers_close(&f->net);
}

static int dial(const struct fixture *f)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(f->node.port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    sl_assert_i64(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    sl_assert_i64(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    sl_assert_i64(send(fd, text, strlen(text), MSG_NOSIGNAL), (int64_t)strlen(text));
}

/* Runs the loop until the other side has closed fd. */
static void wait_closed(struct fixture *f, int fd)
{
    char bytes[256];
    for (int i = 0; i < 4000; i++) {
        ssize_t len = recv(fd, bytes, sizeof bytes, 0);
        if (len == 0 || (len < 0 && errno == ECONNRESET)) {
            (void)close(fd);
            return;
        }
        sl_peers_run(&f->net, 5 * SL_MS);
    }
    fail_msg("the connection was not closed");
}

static void http_gets_the_connection_with_its_bytes(void **state)
{
    (void)state;
    struct fixture f;
    char bytes[64];
    open_plain(&f);
    int fd = dial(&f);
    say(fd, "GET / HTTP/1.1\r\n");
    sl_peers_wait(&f.net, &f.node.http_count, 1);
    sl_assert_i64(read(f.node.http_fd, bytes, sizeof bytes), 16);
    sl_assert_mem(bytes, "GET / HTTP/1.1\r\n", 16);
    sl_assert_str(f.node.client_name, "");
    (void)close(fd);
    close_all(&f);
}

static void garbage_is_http_too(void **state)
{
    (void)state;
    struct fixture f;
    open_plain(&f);
    int fd = dial(&f);
    say(fd, "\x01\x02\x03\x04\x05");
    sl_peers_wait(&f.net, &f.node.http_count, 1);
    (void)close(fd);
    close_all(&f);
}

static void a_preface_in_two_pieces_is_grpc(void **state)
{
    (void)state;
    struct fixture f;
    char bytes[256];
    open_plain(&f);
    int fd = dial(&f);
    say(fd, "PR");
    sl_peers_run(&f.net, 50 * SL_MS);
    say(fd, "I * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    ssize_t len = -1;
    for (int i = 0; i < 400 && len < 9; i++) {
        sl_peers_run(&f.net, 5 * SL_MS);
        len = recv(fd, bytes, sizeof bytes, MSG_PEEK);
    }
    assert_true(len >= 9);
    sl_assert_u64(f.node.http_count, 0);
    sl_assert_i64(bytes[3], 4); /* the server's SETTINGS */
    (void)close(fd);
    close_all(&f);
}

static void garbage_after_the_preface_ends_the_connection_and_is_told(void **state)
{
    (void)state;
    struct fixture f;
    open_plain(&f);
    int fd = dial(&f);
    say(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    wait_closed(&f, fd);
    fd = dial(&f);
    say(fd, "PRI to the moon, says somebody who does not speak HTTP/2");
    wait_closed(&f, fd);
    assert_true(f.node.event_count[SL_TRANSPORT_CONNECTION_REFUSED] >= 1);
    sl_assert_u64(f.node.http_count, 0);
    close_all(&f);
}

static void who_says_nothing_is_closed(void **state)
{
    (void)state;
    struct fixture f;
    open_plain_with(&f, 100 * SL_MS);
    int silent = dial(&f), short_one = dial(&f);
    say(short_one, "PR");
    wait_closed(&f, silent);
    wait_closed(&f, short_one);
    sl_assert_u64(f.node.listener_event_count[SL_LISTENER_SILENT], 2);
    close_all(&f);
}

static void the_oldest_silent_one_makes_room(void **state)
{
    (void)state;
    struct fixture f;
    int fds[5];
    open_plain(&f);
    for (int i = 0; i < 5; i++) {
        fds[i] = dial(&f);
        sl_peers_run(&f.net, 5 * SL_MS);
    }
    sl_assert_u64(f.node.listener_event_count[SL_LISTENER_FULL], 1);
    say(fds[4], "GET /");
    sl_peers_wait(&f.net, &f.node.http_count, 1);
    wait_closed(&f, fds[0]);
    for (int i = 1; i < 5; i++) {
        (void)close(fds[i]);
    }
    close_all(&f);
}

static void a_port_in_use_says_what_to_do(void **state)
{
    (void)state;
    struct fixture f;
    struct sl_err e = { .code = SL_OK };
    struct sl_listener *second = NULL;
    open_plain(&f);
    struct sl_listener_opts opts = { .loop = &f.net.loop, .host = "127.0.0.1", .port = f.node.port };
    sl_assert_i64(sl_listener_open(&second, &opts, &e), SL_BAD_CONFIG);
    assert_null(second);
    assert_non_null(strstr(e.text, "choose another port"));
    opts.host = "192.0.2.1"; /* for documentation: nobody's */
    sl_assert_i64(sl_listener_open(&second, &opts, &e), SL_BAD_CONFIG);
    assert_non_null(strstr(e.text, "192.0.2.1"));
    close_all(&f);
}

/* ---- TLS ---- */

struct tls_fixture {
    struct fixture f;
    struct sl_certs certs;
    struct sl_tls *tls;
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
};

static void open_tls(struct tls_fixture *t)
{
    memset(t, 0, sizeof *t);
    sl_certs_open(&t->certs);
    sl_certs_make_ca(&t->certs, "ca");
    sl_certs_issue(&t->certs, "node", "ca", "node");
    sl_certs_issue(&t->certs, "admin", "ca", "admin");
    static const char *const names[] = { "admin" };
    t->tls = sl_certs_tls(&t->certs, "ca", "node", true, names, 1);
    sl_peers_open(&t->f.net);
    sl_peers_node_open(&t->f.net, &t->f.node, "node", 0, t->tls, NULL);
}

static void close_tls(struct tls_fixture *t)
{
    SSL_free(t->ssl);
    SSL_CTX_free(t->ctx);
    if (t->fd > 0) {
        (void)close(t->fd);
    }
    close_all(&t->f);
    sl_tls_unref(t->tls);
    sl_certs_close(&t->certs);
}

/* An HTTP/1.1 client with a certificate. True: the handshake is done. */
static bool tls_dial(struct tls_fixture *t, const char *cert)
{
    t->fd = dial(&t->f);
    t->ctx = SSL_CTX_new(TLS_client_method());
    struct sl_certs_path pem = sl_certs_path(&t->certs, cert, ".pem"), key = sl_certs_path(&t->certs, cert, ".key");
    sl_assert_i64(SSL_CTX_use_certificate_file(t->ctx, pem.text, SSL_FILETYPE_PEM), 1);
    sl_assert_i64(SSL_CTX_use_PrivateKey_file(t->ctx, key.text, SSL_FILETYPE_PEM), 1);
    t->ssl = SSL_new(t->ctx);
    sl_assert_i64(SSL_set_alpn_protos(t->ssl, (const unsigned char *)"\x08http/1.1", 9), 0);
    sl_assert_i64(SSL_set_fd(t->ssl, t->fd), 1);
    for (int i = 0; i < 2000; i++) {
        int rc = SSL_connect(t->ssl);
        if (rc == 1) {
            return true;
        }
        if (SSL_get_error(t->ssl, rc) != SSL_ERROR_WANT_READ) {
            return false;
        }
        sl_peers_run(&t->f.net, 2 * SL_MS);
    }
    return false;
}

static void https_reaches_http_as_plain_text_with_the_clients_name(void **state)
{
    (void)state;
    struct tls_fixture t;
    char bytes[64];
    open_tls(&t);
    assert_true(tls_dial(&t, "admin"));
    sl_assert_i64(SSL_write(t.ssl, "GET / HTTP/1.1\r\n", 16), 16);
    sl_peers_wait(&t.f.net, &t.f.node.http_count, 1);
    sl_assert_str(t.f.node.client_name, "admin");
    ssize_t len = -1;
    for (int i = 0; i < 1000 && len < 0; i++) {
        sl_peers_run(&t.f.net, 2 * SL_MS);
        len = read(t.f.node.http_fd, bytes, sizeof bytes);
    }
    sl_assert_i64(len, 16);
    sl_assert_mem(bytes, "GET / HTTP/1.1\r\n", 16);
    close_tls(&t);
}

/* The answer is larger than all buffers together, and the server closes as soon as it has written it. */
static void a_long_answer_to_a_slow_client_is_complete(void **state)
{
    (void)state;
    enum { ANSWER_BYTES = 8 << 20 };
    struct tls_fixture t;
    open_tls(&t);
    assert_true(tls_dial(&t, "admin"));
    sl_peers_wait(&t.f.net, &t.f.node.http_count, 1);
    char *answer = calloc(1, ANSWER_BYTES), *back = calloc(1, ANSWER_BYTES);
    assert_true(answer != NULL && back != NULL);
    for (size_t i = 0; i < ANSWER_BYTES; i++) {
        answer[i] = (char)(i * 7 >> 3);
    }
    size_t sent = 0, got = 0;
    bool was_held_back = false;
    for (int i = 0; i < 200000 && got < ANSWER_BYTES; i++) {
        ssize_t len = sent < ANSWER_BYTES ? write(t.f.node.http_fd, answer + sent, ANSWER_BYTES - sent) : 0;
        sent += len > 0 ? (size_t)len : 0;
        was_held_back = was_held_back || len < 0;
        if (sent == ANSWER_BYTES && t.f.node.http_fd >= 0) {
            (void)close(t.f.node.http_fd);
            t.f.node.http_fd = -1;
        }
        (void)uv_run(&t.f.net.loop, UV_RUN_NOWAIT);
        size_t piece = 0;
        if (i % 3 == 0 &&
            SSL_read_ex(t.ssl, back + got, ANSWER_BYTES - got < 5000 ? ANSWER_BYTES - got : 5000, &piece) == 1) {
            got += piece;
        }
    }
    assert_true(was_held_back);
    sl_assert_u64(got, ANSWER_BYTES);
    sl_assert_mem(back, answer, ANSWER_BYTES);
    free(answer);
    free(back);
    close_tls(&t);
}

static void a_client_that_is_not_let_in_is_told_in_one_line(void **state)
{
    (void)state;
    struct tls_fixture t;
    open_tls(&t);
    sl_certs_issue(&t.certs, "guest", "ca", "guest");
    (void)tls_dial(&t, "guest");
    sl_peers_wait(&t.f.net, &t.f.node.listener_event_count[SL_LISTENER_TLS_REFUSED], 1);
    assert_non_null(strstr(t.f.node.listener_text, "add it to the allowed names"));
    sl_assert_u64(t.f.node.http_count, 0);
    close_tls(&t);
}

static void plain_bytes_on_a_tls_port_are_refused(void **state)
{
    (void)state;
    struct tls_fixture t;
    open_tls(&t);
    int fd = dial(&t.f);
    say(fd, "GET / HTTP/1.1\r\n\r\n");
    wait_closed(&t.f, fd);
    sl_assert_u64(t.f.node.listener_event_count[SL_LISTENER_TLS_REFUSED], 1);
    close_tls(&t);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(http_gets_the_connection_with_its_bytes),
        cmocka_unit_test(garbage_is_http_too),
        cmocka_unit_test(a_preface_in_two_pieces_is_grpc),
        cmocka_unit_test(garbage_after_the_preface_ends_the_connection_and_is_told),
        cmocka_unit_test(who_says_nothing_is_closed),
        cmocka_unit_test(the_oldest_silent_one_makes_room),
        cmocka_unit_test(a_port_in_use_says_what_to_do),
        cmocka_unit_test(https_reaches_http_as_plain_text_with_the_clients_name),
        cmocka_unit_test(a_long_answer_to_a_slow_client_is_complete),
        cmocka_unit_test(a_client_that_is_not_let_in_is_told_in_one_line),
        cmocka_unit_test(plain_bytes_on_a_tls_port_are_refused),
    };
    return sl_test_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
