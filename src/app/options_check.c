/* SPDX-License-Identifier: Apache-2.0 */
#include "app/options.h"

#include <stdlib.h>
#include <string.h>

#include "wire/values.h"

enum { CHECK_TEXT_BYTES = 4096 };

static bool check_derive(struct sl_options *o, enum sl_option_id id, const char *text, struct sl_complaint *c)
{
    return sl_options_set(o, id, text, o->origin[id], c);
}

static bool check_is_url(const char *text)
{
    return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
}

/* "http://h1:2379,http://h2:2379" of old scripts is what --meta takes too; "h1:2379" is etcd://h1:2379. */
static bool check_pd(struct sl_options *o, struct sl_complaint *c)
{
    char uri[CHECK_TEXT_BYTES];
    if (o->pd[0] == '\0' || o->meta[0] != '\0')
        return o->pd[0] == '\0' || sl_complain(c, SL_EXIT_CONFIG, "--meta and --pd say the same: give one of them");
    int len = snprintf(uri, sizeof uri, "%s%s", check_is_url(o->pd) ? "" : "etcd://", o->pd);
    if (len < 0 || (size_t)len >= sizeof uri)
        return sl_complain(c, SL_EXIT_CONFIG, "--pd: '%.80s...' is too long", o->pd);
    return check_derive(o, SL_OPTION_ID_meta, uri, c);
}

static bool check_meta(struct sl_options *o, struct sl_complaint *c)
{
    char uri[CHECK_TEXT_BYTES];
    if (!check_pd(o, c))
        return false;
    if (o->meta[0] == '\0') {
        int len = snprintf(uri, sizeof uri, "sqlite:%s/meta.db", o->data_dir);
        if (len < 0 || (size_t)len >= sizeof uri)
            return sl_complain(c, SL_EXIT_CONFIG, "--data-dir is too long");
        return check_derive(o, SL_OPTION_ID_meta, uri, c);
    }
    if ((strncmp(o->meta, "sqlite:", 7) == 0 && o->meta[7] != '\0') ||
        (strncmp(o->meta, "etcd://", 7) == 0 && o->meta[7] != '\0') || check_is_url(o->meta))
        return true;
    /* The value may hold a password, so it is not shown. */
    return sl_complain(c, SL_EXIT_CONFIG, "--meta: say sqlite:PATH or etcd://HOST:PORT[,HOST:PORT...]");
}

static bool check_addresses(struct sl_options *o, struct sl_complaint *c)
{
    const char *host;
    size_t len;
    uint16_t port;
    if (!sl_parse_address(o->addr, &host, &len, &port))
        return sl_complain(c, SL_EXIT_ADDRESS, "--addr: '%.200s' is not HOST:PORT", o->addr);
    if (o->advertise_addr[0] == '\0') {
        if (!check_derive(o, SL_OPTION_ID_advertise_addr, o->addr, c))
            return false;
    } else if (!sl_parse_address(o->advertise_addr, &host, &len, &port)) {
        return sl_complain(c, SL_EXIT_ADDRESS, "--advertise-addr: '%.200s' is not HOST:PORT", o->advertise_addr);
    }
    /* Nobody reaches a node at "any address". */
    if (!sl_parse_address(o->advertise_addr, &host, &len, &port) || (len == 7 && memcmp(host, "0.0.0.0", 7) == 0) ||
        (len == 2 && memcmp(host, "::", 2) == 0))
        return sl_complain(c, SL_EXIT_ADDRESS, "--advertise-addr must say under which address others reach this node");
    return strlen(o->advertise_addr) <= SL_ADDRESS_MAX ||
           sl_complain(c, SL_EXIT_ADDRESS, "--advertise-addr is too long");
}

static bool check_names(struct sl_options *o, struct sl_complaint *c)
{
    struct sl_key key;
    if (!sl_key_meta(&key, sl_str_of(o->cluster_id)))
        return sl_complain(c, SL_EXIT_CONFIG, "--cluster-id: '%.80s' cannot be a name: printable, short, without '/'",
                           o->cluster_id);
    struct sl_str name = sl_str_of(o->name);
    if (name.len > 0 &&
        (name.len > SL_NODE_NAME_MAX || !sl_key_node_name(&key, sl_str_of(o->cluster_id), name) || o->name[0] == '.'))
        return sl_complain(c, SL_EXIT_CONFIG,
                           "--name: '%.80s' cannot be a name: at most %d printable characters, no '/', no leading '.'",
                           o->name, SL_NODE_NAME_MAX);
    return true;
}

static bool check_security(const struct sl_options *o, struct sl_complaint *c)
{
    if ((o->cert[0] != '\0') != (o->key[0] != '\0'))
        return sl_complain(c, SL_EXIT_CONFIG, "--cert and --key belong together: give both");
    if (o->cert[0] == '\0' && (o->mtls || o->cert_allowed_cn[0] != '\0'))
        return sl_complain(c, SL_EXIT_CONFIG, "--mtls and --cert-allowed-cn need --cert, --key and --ca");
    if (o->cert[0] != '\0' && o->ca[0] == '\0')
        return sl_complain(c, SL_EXIT_CONFIG, "--cert needs --ca: peers show certificates to each other");
    if (o->drain_on_stop && o->api_users_file[0] != '\0' && o->api_credentials_file[0] == '\0')
        return sl_complain(
            c, SL_EXIT_CONFIG,
            "--drain-on-stop with --api-users-file needs --api-credentials-file: who asks for the drain");
    return true;
}

static bool check_limits(const struct sl_options *o, struct sl_complaint *c)
{
    if (o->lease_ttl < SL_S || o->lease_ttl > 3600 * SL_S)
        return sl_complain(c, SL_EXIT_CONFIG, "--lease-ttl must be between 1s and 1h");
    if (o->meta_timeout < SL_S)
        return sl_complain(c, SL_EXIT_CONFIG, "--meta-timeout must be at least 1s");
    if (o->threads > 1024)
        return sl_complain(c, SL_EXIT_CONFIG, "--threads must be at most 1024");
    if (o->memory_rows < (UINT64_C(16) << 20) || o->memory_rows > SIZE_MAX)
        return sl_complain(c, SL_EXIT_CONFIG, "--memory-rows must be at least 16MiB");
    if (o->memory_control != 0 && o->memory_control < (UINT64_C(64) << 20))
        return sl_complain(c, SL_EXIT_CONFIG, "--memory-control must be 0 or at least 64MiB");
    if (o->connections_max < 16)
        return sl_complain(c, SL_EXIT_CONFIG, "--connections-max must be at least 16");
    return true;
}

bool sl_options_check(struct sl_options *o, struct sl_complaint *c)
{
    if (o->data_dir[0] == '\0')
        return sl_complain(c, SL_EXIT_CONFIG, "--data-dir must not be empty");
    return check_addresses(o, c) && check_meta(o, c) && check_names(o, c) && check_security(o, c) && check_limits(o, c);
}
