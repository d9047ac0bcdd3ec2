/*
 * -object filter-dump: every frame of a back end into a file, as libpcap writes them (the format of
 * pcap-savefile(5)). A frame that still has work left to do is shown as it is at this point.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "net/net_int.h"

enum { PCAP_MAGIC = 0xa1b2c3d4, LINKTYPE_ETHERNET = 1 };

typedef struct PcapHeader {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, accuracy, snap_length, link_type;
} PcapHeader;

typedef struct PcapRecord {
    uint32_t seconds, microseconds, captured, length;
} PcapRecord;

typedef struct FilterDump {
    NetFilter f;
    int fd;
    uint32_t max_length;
    char *path;
} FilterDump;

static void dump_frame(NetFilter *f, const NetPacket *pkt)
{
    FilterDump *d = (FilterDump *)f;
    struct timeval now;
    PcapRecord r;
    struct iovec iov[2] = {{&r, sizeof(r)}, {(void *)pkt->data, MIN(pkt->len, d->max_length)}};

    if (d->fd < 0) {
        return;
    }
    gettimeofday(&now, NULL);
    r = (PcapRecord){(uint32_t)now.tv_sec, (uint32_t)now.tv_usec, (uint32_t)iov[1].iov_len,
                     pkt->len};
    if (writev(d->fd, iov, 2) != (ssize_t)(sizeof(r) + iov[1].iov_len)) {
        g_printerr("%s: filter-dump %s: %s: %s; it is written no further\n", g_get_prgname(), f->id,
                   d->path, g_strerror(errno));
        close(d->fd);
        d->fd = -1;
    }
}

static void dump_describe(NetFilter *f, GString *out)
{
    const FilterDump *d = (FilterDump *)f;

    g_string_append_printf(out, "file=%s,maxlen=%u", d->path, d->max_length);
}

static void dump_close(NetFilter *f)
{
    FilterDump *d = (FilterDump *)f;

    if (d->fd >= 0) {
        close(d->fd);
    }
    g_free(d->path);
}

static const NetFilterOps dump_ops = {
    .type = "filter-dump",
    .frame = dump_frame,
    .describe = dump_describe,
    .close = dump_close,
};

static FilterDump *dump_new(const char *id, NetClient *c, const char *path, uint32_t max_length,
                            GError **err)
{
    const PcapHeader header = {PCAP_MAGIC, 2, 4, 0, 0, max_length, LINKTYPE_ETHERNET};
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    FilterDump *d;

    if (fd < 0 || write(fd, &header, sizeof(header)) != (ssize_t)sizeof(header)) {
        emu_set_error(err, "file=%s: %s", path, g_strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return NULL;
    }
    d = g_new0(FilterDump, 1);
    d->f.ops = &dump_ops;
    d->f.id = g_strdup(id);
    d->f.client = c;
    d->fd = fd;
    d->path = g_strdup(path);
    d->max_length = max_length;
    return d;
}

static void attach(void *opaque)
{
    NetFilter *f = opaque;

    f->client->filters = g_slist_append(f->client->filters, f);
}

static bool id_is_used(const char *id)
{
    for (guint i = 0; i < net_backends()->len; i++) {
        const NetClient *c = g_ptr_array_index(net_backends(), i);

        for (GSList *l = c->filters; l; l = l->next) {
            if (!strcmp(((NetFilter *)l->data)->id, id)) {
                return true;
            }
        }
    }
    return false;
}

bool net_filter_dump_add(const char *arg, GError **err)
{
    static const char *const queues[] = {"all", "rx", "tx", NULL};
    KeyVal *kv = keyval_parse("-object", arg, "qom-type", err);
    const char *id = kv ? keyval_get(kv, "id") : NULL;
    const char *netdev = kv ? keyval_get(kv, "netdev") : NULL;
    const char *path = kv ? keyval_get(kv, "file") : NULL;
    uint64_t max_length = 65536;
    int queue = 0;
    NetClient *c = netdev ? net_backend_find(netdev) : NULL;
    FilterDump *d = NULL;

    if (kv) {
        keyval_get(kv, "qom-type");
    }
    if (kv && (!id || !*id || id_is_used(id))) {
        emu_set_error(err, "filter-dump: id=%s: each object needs an id of its own", id ? id : "");
    } else if (kv && !c) {
        emu_set_error(err, "filter-dump: netdev=%s: there is no such -netdev",
                      netdev ? netdev : "");
    } else if (kv && (!path || !*path)) {
        emu_set_error(err, "filter-dump: file= is missing");
    } else if (kv && keyval_get_size(kv, "maxlen", &max_length, err) &&
               keyval_get_enum(kv, "queue", queues, &queue, err) && keyval_finish(kv, err)) {
        d = dump_new(id, c, path, (uint32_t)CLAMP(max_length, 1, 65536), err);
    }
    if (d) {
        /* As seen from the back end: rx is what it receives, from the guest. */
        d->f.to_client = queue != 2;
        d->f.from_client = queue != 1;
        net_run(attach, &d->f);
    }
    keyval_free(kv);
    return d != NULL;
}
