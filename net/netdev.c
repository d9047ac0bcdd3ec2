/*
 * -netdev, and what the monitor shows and changes: the list of back ends and cards.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <string.h>

#include "net/net_int.h"

const NetKind net_kinds[] = {
    {"bridge", net_bridge_create},
    {"dgram", net_dgram_create},
    {"hubport", net_hubport_create},
    {"socket", net_socket_create},
    {"stream", net_stream_create},
    {"tap", net_tap_create},
#ifdef CONFIG_SLIRP
    {"user", net_user_create},
#endif
    {NULL, NULL},
};

/* As there is one machine: made with the first, gone with net_close_all(). Machine lock. */
static GPtrArray *backends, *nics;

GPtrArray *net_backends(void)
{
    return backends ? backends : (backends = g_ptr_array_new());
}

GPtrArray *net_nics(void)
{
    return nics ? nics : (nics = g_ptr_array_new());
}

NetClient *net_backend_find(const char *name)
{
    for (guint i = 0; i < net_backends()->len; i++) {
        NetClient *c = g_ptr_array_index(backends, i);
        if (!strcmp(c->name, name)) {
            return c;
        }
    }
    return NULL;
}

bool net_exists(const char *id)
{
    return net_backend_find(id) != NULL;
}

void net_print_kinds(GString *out)
{
    g_string_append(out, "Available netdev backend types:\n");
    for (const NetKind *k = net_kinds; k->name; k++) {
        g_string_append_printf(out, "%s\n", k->name);
    }
}

/* ---- making one ---- */

typedef struct Create {
    const NetKind *kind;
    const char *id;
    KeyVal *kv;
    GError **err;
    NetClient *client;
} Create;

static void create(void *opaque)
{
    Create *c = opaque;

    c->client = c->kind->create(c->id, c->kv, c->err);
}

static const NetKind *find_kind(const char *type, GError **err)
{
    g_autoptr(GString) names = g_string_new(NULL);

    for (const NetKind *k = net_kinds; k->name; k++) {
        if (type && !strcmp(k->name, type)) {
            return k;
        }
        g_string_append_printf(names, "%s%s", names->len ? ", " : "", k->name);
    }
    emu_set_error(err, "'%s' is no type of network back end; there are %s", type ? type : "",
                  names->str);
    return NULL;
}

static bool check_id(const char *id, GError **err)
{
    if (!id || !*id) {
        emu_set_error(err, "id= is missing");
        return false;
    }
    if (!g_ascii_isalpha(id[0]) && id[0] != '#') {
        emu_set_error(err, "id=%s: an id begins with a letter", id);
        return false;
    }
    if (net_backend_find(id)) {
        emu_set_error(err, "id=%s: there is a network back end with this id already", id);
        return false;
    }
    return true;
}

bool net_add(const char *arg, GError **err)
{
    KeyVal *kv = keyval_parse("-netdev", arg, "type", err);
    const char *type = kv ? keyval_get(kv, "type") : NULL;
    const char *id = kv ? keyval_get(kv, "id") : NULL;
    const NetKind *kind = kv ? find_kind(type, err) : NULL;
    bool ok = kind && check_id(id, err) && net_thread(err);

    if (ok) {
        Create c = {.kind = kind, .id = id, .kv = kv, .err = err};

        net_run(create, &c);
        ok = c.client != NULL;
        if (ok) {
            g_ptr_array_add(net_backends(), c.client);
            ok = keyval_finish(kv, err);
        }
    }
    keyval_free(kv);
    return ok;
}

/* ---- the monitor ---- */

static void print_client(NetClient *c, GString *out, const char *lead)
{
    g_string_append_printf(out, "%s%s: index=0,type=%s", lead, c->name, c->ops->type);
    if (c->ops->describe) {
        g_string_append_c(out, ',');
        c->ops->describe(c, out);
    }
    g_string_append(out, c->link_down ? ",link=off\n" : "\n");
    for (GSList *l = c->filters; l; l = l->next) {
        NetFilter *f = l->data;

        g_string_append_printf(out, "   - %s: type=%s", f->id, f->ops->type);
        if (f->ops->describe) {
            g_string_append_c(out, ',');
            f->ops->describe(f, out);
        }
        g_string_append_c(out, '\n');
    }
}

static void print_nic(NetNic *nic, GString *out)
{
    const uint8_t *m = nic->mac;

    g_string_append_printf(
        out, "%s: index=0,type=nic,model=%s,macaddr=%02x:%02x:%02x:%02x:%02x:%02x%s\n", nic->name,
        nic->model, m[0], m[1], m[2], m[3], m[4], m[5], nic->c.link_down ? ",link=off" : "");
}

/* On the network's thread: what it prints is that thread's. */
static void print_all(void *opaque)
{
    GString *out = opaque;

    for (guint i = 0; i < net_nics()->len; i++) {
        NetNic *nic = g_ptr_array_index(nics, i);

        print_nic(nic, out);
        if (nic->c.peer) {
            print_client(nic->c.peer, out, " \\ ");
        }
    }
    for (guint i = 0; i < net_backends()->len; i++) {
        NetClient *c = g_ptr_array_index(backends, i);

        if (!c->peer || c->peer->ops->type[0] != 'n') {
            print_client(c, out, "");
        }
    }
}

/* Machine lock given up by net_run(): the lists change on the main thread only, which is here. */
static void run_print(void (*print)(void *opaque), GString *out)
{
    if (net_backends()->len) {
        net_run(print, out);
    } else {
        print(out);
    }
}

void net_print(GString *out)
{
    run_print(print_all, out);
}

void net_print_unconnected(GString *out)
{
    for (guint i = 0; i < net_backends()->len; i++) {
        const NetClient *c = g_ptr_array_index(backends, i);

        if (!c->peer) {
            g_string_append_printf(out, "-netdev %s: no network card is connected to it\n",
                                   c->name);
        }
    }
}

typedef struct SetLink {
    NetClient *c;
    bool up;
} SetLink;

static void set_link(void *opaque)
{
    const SetLink *set = opaque;

    net_client_set_link(set->c, set->up);
}

static void set_client_link(NetClient *c, bool up, bool threaded)
{
    SetLink set = {c, up};

    if (threaded) {
        net_run(set_link, &set);
    } else {
        set_link(&set);
    }
}

bool net_set_link(const char *name, bool up, GError **err)
{
    NetClient *backend = net_backend_find(name);
    bool found = backend != NULL;

    if (backend) {
        set_client_link(backend, up, true);
    }
    for (guint i = 0; i < net_nics()->len; i++) {
        NetNic *nic = g_ptr_array_index(nics, i);

        if (!strcmp(nic->name, name)) {
            set_client_link(&nic->c, up, nic->connected);
            found = true;
        }
        net_nic_update_link(nic);
    }
    if (!found) {
        emu_set_error(err, "there is no network card or back end '%s' (info network lists them)",
                      name);
    }
    return found;
}

/* ---- the user-mode stack ---- */

#ifdef CONFIG_SLIRP
static NetClient *find_user(const char *netdev, GError **err)
{
    NetClient *found = NULL;

    for (guint i = 0; i < net_backends()->len; i++) {
        NetClient *c = g_ptr_array_index(backends, i);

        if (c->ops == &net_user_ops && (!netdev || !strcmp(netdev, c->name))) {
            if (found) {
                emu_set_error(err, "there are several user-mode networks: name one");
                return NULL;
            }
            found = c;
        }
    }
    if (!found) {
        emu_set_error(err, "there is no user-mode network%s%s", netdev ? " with id=" : "",
                      netdev ? netdev : "");
    }
    return found;
}

typedef struct HostFwd {
    NetClient *c;
    const char *rule;
    bool add, ok;
    GError **err;
} HostFwd;

static void hostfwd(void *opaque)
{
    HostFwd *h = opaque;

    h->ok = net_user_hostfwd(h->c, h->rule, h->add, h->err);
}

bool net_hostfwd(const char *netdev, const char *rule, bool add, GError **err)
{
    HostFwd h = {.c = find_user(netdev, err), .rule = rule, .add = add, .err = err};

    if (h.c) {
        net_run(hostfwd, &h);
    }
    return h.ok;
}

static void print_user(void *opaque)
{
    for (guint i = 0; i < net_backends()->len; i++) {
        NetClient *c = g_ptr_array_index(backends, i);

        if (c->ops == &net_user_ops) {
            net_user_print(c, opaque);
        }
    }
}

void net_print_user(GString *out)
{
    run_print(print_user, out);
}
#endif

/* ---- start and end ---- */

void net_machine_started(void)
{
    for (guint i = 0; i < net_nics()->len; i++) {
        net_nic_machine_started(g_ptr_array_index(nics, i));
    }
}

static void close_all(void *opaque)
{
    (void)opaque;
    for (guint i = 0; i < net_nics()->len; i++) {
        net_nic_disconnect(g_ptr_array_index(nics, i));
    }
    while (net_backends()->len) {
        NetClient *c = g_ptr_array_steal_index(backends, backends->len - 1);

        net_client_free(c);
    }
}

void net_close_all(void)
{
    for (guint i = 0; i < net_nics()->len; i++) {
        NetNic *nic = g_ptr_array_index(nics, i);

        nic->connected = false;
        nic->opaque = NULL;
    }
    if (net_backends()->len) {
        net_run(close_all, NULL);
    }
    net_thread_stop();
}
