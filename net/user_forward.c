/*
 * Ports forwarded by -netdev user: of the host into the guest's network (hostfwd), and of addresses
 * in the guest's network to programs and sockets of the host (guestfwd). SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#include "net/user.h"

#ifdef CONFIG_SLIRP

#include <errno.h>
#include <string.h>

#include "net/address.h"

typedef struct Rule {
    bool udp;
    struct in_addr host, guest;
    uint16_t host_port, guest_port;
} Rule;

/* Text up to END, which is skipped; NULL when there is no END. */
static char *take(const char **text, char end)
{
    const char *stop = strchr(*text, end);
    char *word;

    if (!stop) {
        return NULL;
    }
    word = g_strndup(*text, (gsize)(stop - *text));
    *text = stop + 1;
    return word;
}

static bool take_protocol(const char **text, bool *udp)
{
    g_autofree char *word = take(text, ':');

    *udp = word && !strcmp(word, "udp");
    return word && (*udp || !*word || !strcmp(word, "tcp"));
}

static bool parse_port(const char *text, uint16_t least, uint16_t *port)
{
    uint64_t value;

    if (!text || !parse_uint(text, 65535, &value) || value < least) {
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

static bool parse_host(const char *text, struct in_addr *out)
{
    return text && (!*text || inet_pton(AF_INET, text, out) == 1);
}

/* [tcp|udp]:[HOSTADDR]:HOSTPORT; the guest's part follows where there is one. */
static bool parse_host_side(const char **text, Rule *r)
{
    g_autofree char *host = NULL;

    *r = (Rule){.host.s_addr = INADDR_ANY};
    if (!take_protocol(text, &r->udp)) {
        return false;
    }
    host = take(text, ':');
    return parse_host(host, &r->host);
}

static bool parse_hostfwd(const char *text, Rule *r, GError **err)
{
    const char *p = text;
    bool ok = parse_host_side(&p, r);
    g_autofree char *port = ok ? take(&p, '-') : NULL;
    g_autofree char *guest = NULL;

    ok = ok && parse_port(port, 0, &r->host_port);
    guest = ok ? take(&p, ':') : NULL;
    if (!ok || !parse_host(guest, &r->guest) || !parse_port(p, 1, &r->guest_port)) {
        emu_set_error(
            err, "hostfwd=%s should be [tcp|udp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT", text);
        return false;
    }
    return true;
}

bool net_user_hostfwd(NetClient *c, const char *rule, bool add, GError **err)
{
    NetUser *u = (NetUser *)c;
    const char *p = rule;
    Rule r;

    if (add) {
        if (!parse_hostfwd(rule, &r, err)) {
            return false;
        }
        errno = 0;
        if (slirp_add_hostfwd(u->slirp, r.udp, r.host, r.host_port, r.guest, r.guest_port) < 0) {
            emu_set_error(err, "hostfwd=%s: %s", rule,
                          errno ? g_strerror(errno) : "the host refuses this port");
            return false;
        }
    } else {
        if (!parse_host_side(&p, &r) || !parse_port(p, 0, &r.host_port)) {
            emu_set_error(err, "'%s' should be [tcp|udp]:[HOSTADDR]:HOSTPORT", rule);
            return false;
        }
        if (slirp_remove_hostfwd(u->slirp, r.udp, r.host, r.host_port) < 0) {
            emu_set_error(err, "'%s' is not forwarded", rule);
            return false;
        }
    }
    net_user_ops.resume(c);
    u->refill = true;
    net_user_ops.flush(c);
    return true;
}

/* tcp:ADDR:PORT-cmd:COMMAND or tcp:ADDR:PORT-unix:PATH */
static bool add_guestfwd(NetUser *u, const char *text, GError **err)
{
    const char *p = text;
    Rule r;
    bool ok = parse_host_side(&p, &r);
    g_autofree char *port = ok ? take(&p, '-') : NULL;
    int ret;

    ok = ok && !r.udp && r.host.s_addr != INADDR_ANY && parse_port(port, 1, &r.host_port);
    if (ok && g_str_has_prefix(p, "cmd:") && p[4]) {
        ret = slirp_add_exec(u->slirp, p + 4, &r.host, r.host_port);
    } else if (ok && g_str_has_prefix(p, "unix:") && p[5]) {
        ret = slirp_add_unix(u->slirp, p + 5, &r.host, r.host_port);
    } else {
        emu_set_error(err,
                      "guestfwd=%s should be tcp:ADDRESS:PORT-cmd:COMMAND or "
                      "tcp:ADDRESS:PORT-unix:PATH",
                      text);
        return false;
    }
    if (ret < 0) {
        emu_set_error(
            err, "guestfwd=%s: the address must be one of the guest's network that is not in use",
            text);
        return false;
    }
    return true;
}

bool user_forwards(NetUser *u, const UserOptions *o, GError **err)
{
    for (guint i = 0; i < o->hostfwd->len; i++) {
        if (!net_user_hostfwd(&u->c, g_ptr_array_index(o->hostfwd, i), true, err)) {
            return false;
        }
    }
    for (guint i = 0; i < o->guestfwd->len; i++) {
        if (!add_guestfwd(u, g_ptr_array_index(o->guestfwd, i), err)) {
            return false;
        }
    }
    return true;
}

#endif
