/*
 * Options of -netdev user.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "net/user.h"

#ifdef CONFIG_SLIRP

#include <string.h>

#include "net/address.h"

/* Keys of plain text; which of them may come more than once. */
enum {
    KEY_DHCPSTART,
    KEY_DNS,
    KEY_DOMAINNAME,
    KEY_BOOTFILE,
    KEY_HOST,
    KEY_HOSTNAME,
    KEY_IPV4,
    KEY_IPV6,
    KEY_IPV6_DNS,
    KEY_IPV6_HOST,
    KEY_IPV6_NET,
    KEY_IPV6_PREFIX,
    KEY_IPV6_PREFIXLEN,
    KEY_NET,
    KEY_RESTRICT,
    KEY_TFTP,
    KEY_TFTP_SERVER,
    KEY_COUNT,
};
static const char *const keys[KEY_COUNT + 1] = {
    [KEY_DHCPSTART] = "dhcpstart",
    [KEY_DNS] = "dns",
    [KEY_DOMAINNAME] = "domainname",
    [KEY_BOOTFILE] = "bootfile",
    [KEY_HOST] = "host",
    [KEY_HOSTNAME] = "hostname",
    [KEY_IPV4] = "ipv4",
    [KEY_IPV6] = "ipv6",
    [KEY_IPV6_DNS] = "ipv6-dns",
    [KEY_IPV6_HOST] = "ipv6-host",
    [KEY_IPV6_NET] = "ipv6-net",
    [KEY_IPV6_PREFIX] = "ipv6-prefix",
    [KEY_IPV6_PREFIXLEN] = "ipv6-prefixlen",
    [KEY_NET] = "net",
    [KEY_RESTRICT] = "restrict",
    [KEY_TFTP] = "tftp",
    [KEY_TFTP_SERVER] = "tftp-server-name",
};

typedef struct Parse {
    UserOptions *o;
    const char *value[KEY_COUNT];
    char *unknown;
} Parse;

/* Keys that come several times are collected, which keyval_get() would not do. */
static bool take_pair(const char *key, const char *value, void *opaque)
{
    Parse *p = opaque;
    GPtrArray *list = !strcmp(key, "hostfwd")     ? p->o->hostfwd
                      : !strcmp(key, "guestfwd")  ? p->o->guestfwd
                      : !strcmp(key, "dnssearch") ? p->o->dnssearch
                                                  : NULL;

    if (list) {
        g_ptr_array_add(list, g_strdup(value));
        return true;
    }
    for (int i = 0; i < KEY_COUNT; i++) {
        if (!strcmp(key, keys[i])) {
            p->value[i] = value;
            return true;
        }
    }
    if (!strcmp(key, "type") || !strcmp(key, "id")) {
        return true;
    }
    p->unknown = g_strdup(key);
    return false;
}

static bool get_bool(const Parse *p, int key, bool *out, GError **err)
{
    if (p->value[key] && !parse_bool(p->value[key], out)) {
        emu_set_error(err, "%s=%s: 'on' or 'off' is expected", keys[key], p->value[key]);
        return false;
    }
    return true;
}

static bool get_ipv4(const Parse *p, int key, struct in_addr *out, GError **err)
{
    if (p->value[key] && inet_pton(AF_INET, p->value[key], out) != 1) {
        emu_set_error(err, "%s=%s is no IPv4 address like 10.0.2.2", keys[key], p->value[key]);
        return false;
    }
    return true;
}

static bool get_ipv6(const Parse *p, int key, struct in6_addr *out, GError **err)
{
    if (p->value[key] && inet_pton(AF_INET6, p->value[key], out) != 1) {
        emu_set_error(err, "%s=%s is no IPv6 address like fec0::2", keys[key], p->value[key]);
        return false;
    }
    return true;
}

/* NET/MASK or NET/BITS; without either the mask of the address's class, as of old. */
static bool parse_net(const char *text, uint32_t *net, uint32_t *mask, GError **err)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 2);
    struct in_addr addr, m;
    uint64_t bits;

    if (!parts[0] || inet_pton(AF_INET, parts[0], &addr) != 1) {
        emu_set_error(err, "net=%s is no network like 10.0.2.0/24", text);
        return false;
    }
    *net = ntohl(addr.s_addr);
    if (!parts[1]) {
        *mask = !(*net & 0x80000000)                ? 0xff000000
                : (*net & 0xfff00000) == 0xac100000 ? 0xfff00000
                : (*net & 0xc0000000) == 0x80000000 ? 0xffff0000
                : (*net & 0xffff0000) == 0xc0a80000 ? 0xffff0000
                : (*net & 0xe0000000) == 0xc0000000 ? 0xffffff00
                                                    : 0xfffffff0;
    } else if (parse_uint(parts[1], 32, &bits) && bits >= 4) {
        *mask = UINT32_MAX << (32 - bits);
    } else if (inet_pton(AF_INET, parts[1], &m) == 1 && m.s_addr) {
        *mask = ntohl(m.s_addr);
    } else {
        emu_set_error(err,
                      "net=%s: behind the slash is expected a number of bits from 4 to 32, or a "
                      "mask like 255.255.255.0",
                      text);
        return false;
    }
    *net &= *mask;
    return true;
}

static bool check_inside(const char *key, struct in_addr addr, uint32_t net, uint32_t mask,
                         GError **err)
{
    char text[INET_ADDRSTRLEN], in[INET_ADDRSTRLEN];
    struct in_addr n = {htonl(net)};

    if ((ntohl(addr.s_addr) & mask) == net) {
        return true;
    }
    inet_ntop(AF_INET, &addr, text, sizeof(text));
    inet_ntop(AF_INET, &n, in, sizeof(in));
    emu_set_error(err, "%s=%s is not in the network %s", key, text, in);
    return false;
}

static bool parse_ipv4(Parse *p, SlirpConfig *c, GError **err)
{
    uint32_t net = 0x0a000200, mask = 0xffffff00;
    char text[INET_ADDRSTRLEN];

    if (p->value[KEY_NET] && !parse_net(p->value[KEY_NET], &net, &mask, err)) {
        return false;
    }
    c->vnetwork.s_addr = htonl(net);
    c->vnetmask.s_addr = htonl(mask);
    c->vhost.s_addr = htonl(net | (2 & ~mask));
    c->vdhcp_start.s_addr = htonl(net | (15 & ~mask));
    c->vnameserver.s_addr = htonl(net | (3 & ~mask));
    if (!get_ipv4(p, KEY_HOST, &c->vhost, err) || !get_ipv4(p, KEY_DNS, &c->vnameserver, err) ||
        !get_ipv4(p, KEY_DHCPSTART, &c->vdhcp_start, err) ||
        !check_inside("host", c->vhost, net, mask, err) ||
        !check_inside("dhcpstart", c->vdhcp_start, net, mask, err)) {
        return false;
    }
    if (p->value[KEY_DNS] && !check_inside("dns", c->vnameserver, net, mask, err)) {
        return false;
    }
    if (c->vhost.s_addr == c->vnameserver.s_addr) {
        emu_set_error(err, "host= and dns= are the same address; each needs its own");
        return false;
    }
    inet_ntop(AF_INET, &c->vnetwork, text, sizeof(text));
    p->o->net_text = g_strdup(text);
    return true;
}

static bool parse_ipv6(Parse *p, SlirpConfig *c, GError **err)
{
    uint64_t bits = 64;
    struct in6_addr *prefix = &c->vprefix_addr6;

    inet_pton(AF_INET6, "fec0::", prefix);
    if (p->value[KEY_IPV6_NET]) {
        g_auto(GStrv) parts = g_strsplit(p->value[KEY_IPV6_NET], "/", 2);

        if (!parts[0] || inet_pton(AF_INET6, parts[0], prefix) != 1 ||
            (parts[1] && !parse_uint(parts[1], 126, &bits))) {
            emu_set_error(err, "ipv6-net=%s is no network like fec0::/64", p->value[KEY_IPV6_NET]);
            return false;
        }
    }
    if (!get_ipv6(p, KEY_IPV6_PREFIX, prefix, err)) {
        return false;
    }
    if (p->value[KEY_IPV6_PREFIXLEN] && !parse_uint(p->value[KEY_IPV6_PREFIXLEN], 126, &bits)) {
        emu_set_error(err, "ipv6-prefixlen=%s: a number from 0 to 126 is expected",
                      p->value[KEY_IPV6_PREFIXLEN]);
        return false;
    }
    c->vprefix_len = (uint8_t)bits;
    c->vhost6 = c->vnameserver6 = *prefix;
    c->vhost6.s6_addr[15] |= 2;
    c->vnameserver6.s6_addr[15] |= 3;
    return get_ipv6(p, KEY_IPV6_HOST, &c->vhost6, err) &&
           get_ipv6(p, KEY_IPV6_DNS, &c->vnameserver6, err);
}

/* A string that lives as long as the options. */
static const char *keep(UserOptions *o, const char *text)
{
    char *copy = g_strdup(text);

    if (copy) {
        g_ptr_array_add(o->strings, copy);
    }
    return copy;
}

static bool parse_names(Parse *p, SlirpConfig *c, GError **err)
{
    UserOptions *o = p->o;
    const char *tftp = p->value[KEY_TFTP];

    c->vhostname = keep(o, p->value[KEY_HOSTNAME]);
    c->tftp_path = keep(o, tftp);
    c->tftp_server_name = keep(o, p->value[KEY_TFTP_SERVER]);
    c->bootfile = keep(o, p->value[KEY_BOOTFILE]);
    c->vdomainname = keep(o, p->value[KEY_DOMAINNAME]);
    if (tftp && !g_file_test(tftp, G_FILE_TEST_IS_DIR)) {
        emu_set_error(err, "tftp=%s is no folder", tftp);
        return false;
    }
    /* What fits into the fields of DHCP (RFC 2132; RFC 2131, 2). */
    if (c->bootfile && strlen(c->bootfile) > 127) {
        emu_set_error(err, "bootfile=%s has more than 127 characters", c->bootfile);
        return false;
    }
    if (c->tftp_server_name && strlen(c->tftp_server_name) > 255) {
        emu_set_error(err, "tftp-server-name= has more than 255 characters");
        return false;
    }
    if (c->vdomainname && (!*c->vdomainname || strlen(c->vdomainname) > 255)) {
        emu_set_error(err, "domainname= has between 1 and 255 characters");
        return false;
    }
    if (o->dnssearch->len) {
        g_ptr_array_add(o->dnssearch, NULL);
        c->vdnssearch = (const char **)o->dnssearch->pdata;
    }
    return true;
}

bool user_options_parse(UserOptions *o, KeyVal *kv, GError **err)
{
    Parse p = {.o = o};
    SlirpConfig *c = &o->config;
    bool restricted = false;

    memset(o, 0, sizeof(*o));
    o->hostfwd = g_ptr_array_new_with_free_func(g_free);
    o->guestfwd = g_ptr_array_new_with_free_func(g_free);
    o->dnssearch = g_ptr_array_new_with_free_func(g_free);
    o->strings = g_ptr_array_new_with_free_func(g_free);
    if (!keyval_foreach(kv, take_pair, &p)) {
        emu_set_error(err, "unknown key '%s'; known are dnssearch, guestfwd, hostfwd", p.unknown);
        for (int i = 0; err && *err && i < KEY_COUNT; i++) {
            char *longer = g_strdup_printf("%s, %s", (*err)->message, keys[i]);
            g_free((*err)->message);
            (*err)->message = longer;
        }
        g_free(p.unknown);
        return false;
    }
    c->version = SLIRP_CONFIG_VERSION_MAX;
    c->in_enabled = c->in6_enabled = true;
    if (!get_bool(&p, KEY_RESTRICT, &restricted, err) ||
        !get_bool(&p, KEY_IPV4, &c->in_enabled, err) ||
        !get_bool(&p, KEY_IPV6, &c->in6_enabled, err)) {
        return false;
    }
    /* Who switches one on by name means only that. */
    if (p.value[KEY_IPV4] && c->in_enabled && !p.value[KEY_IPV6]) {
        c->in6_enabled = false;
    }
    if (p.value[KEY_IPV6] && c->in6_enabled && !p.value[KEY_IPV4]) {
        c->in_enabled = false;
    }
    if (!c->in_enabled && !c->in6_enabled) {
        emu_set_error(err, "ipv4=off and ipv6=off leave nothing; set one of them to on");
        return false;
    }
    c->restricted = restricted;
    return parse_ipv4(&p, c, err) && parse_ipv6(&p, c, err) && parse_names(&p, c, err);
}

void user_options_clear(UserOptions *o)
{
    g_ptr_array_unref(o->hostfwd);
    g_ptr_array_unref(o->guestfwd);
    g_ptr_array_unref(o->dnssearch);
    g_ptr_array_unref(o->strings);
    g_free(o->net_text);
}

#endif
