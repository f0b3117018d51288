/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SL_TESTS_SUPPORT_SL_PEERS_H
#define SL_TESTS_SUPPORT_SL_PEERS_H

#include "edge/peer/listener.h"
#include "edge/peer/transport.h"
#include "tests/support/sl_certs.h"

/*
 * Transports and listeners in one loop on the loopback, on ports that the system chooses. Waiting is for conditions; what
 * does not come within 20 s fails the test.
 */
struct sl_peers {
    uv_loop_t loop;
    sl_ns classify_ns; /* of listeners opened from now on; 0: their default */
};

struct sl_peers_node {
    struct sl_peers *net;
    struct sl_node_id id;
    char address[SL_ADDRESS_MAX + 1];
    uint16_t port;
    struct sl_transport *transport; /* null: closed */
    struct sl_listener *listener;
    struct sl_tls *tls;

    bool holding; /* messages are not taken */
    uint32_t message_count, http_count, closed_count;
    uint32_t event_count[SL_TRANSPORT_EVENT_COUNT], listener_event_count[SL_LISTENER_EVENT_COUNT];
    char text[200];          /* of the last event */
    char listener_text[200]; /* of the last event of the listener */
    uint32_t out_of_order;   /* messages whose first 4 bytes are not one more than the last one's of the lane */
    uint32_t last[2];
    size_t last_size;
    char client_name[64]; /* of the last HTTP connection */
    int http_fd;          /* of the last HTTP connection; owned by the test */
};

void sl_peers_open(struct sl_peers *p);
void sl_peers_close(struct sl_peers *p); /* everything in it must be closed; checks that nothing is left */

/* "n1" on 127.0.0.1; limits and tls may be null. port 0: any. */
void sl_peers_node_open(struct sl_peers *p, struct sl_peers_node *n, const char *id, uint16_t port, struct sl_tls *tls,
                        const struct sl_transport_limits *limits);
void sl_peers_node_close(struct sl_peers_node *n); /* waits until it is closed */

/* Makes the nodes know each other. */
void sl_peers_introduce(struct sl_peers_node *const *nodes, uint32_t count);
enum sl_code sl_peers_know(struct sl_peers_node *n, const char *id, const char *address);

/* Runs the loop until *value >= wanted. */
void sl_peers_wait(struct sl_peers *p, const uint32_t *value, uint32_t wanted);
void sl_peers_wait_connected(struct sl_peers_node *n, const struct sl_node_id *peer);
/* Runs the loop for a while: for what must not happen. */
void sl_peers_run(struct sl_peers *p, sl_ns duration_ns);

/* A message of type 45 (command) or 12 (event) whose first 4 bytes are number. */
enum sl_code sl_peers_send(struct sl_peers_node *n, const struct sl_node_id *to, enum sl_lane lane, uint32_t number,
                           size_t size);

#endif
