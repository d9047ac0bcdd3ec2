/*
 * qcow2's table of internal snapshots (qcow2 specification, "Snapshots"): read and checked.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/qcow2.h"

#include <errno.h>
#include <string.h>

void qcow2_free_snapshots(Qcow2 *s)
{
    for (uint32_t i = 0; s->snapshots && i < s->h.snapshot_count; i++) {
        g_free(s->snapshots[i].id);
        g_free(s->snapshots[i].name);
    }
    g_clear_pointer(&s->snapshots, g_free);
}

static uint64_t get_be(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;

    while (bytes-- > 0) {
        v = v << 8 | *p++;
    }
    return v;
}

static char *get_text(const uint8_t *p, size_t len)
{
    char *text = g_strndup((const char *)p, len);

    for (char *c = text; *c; c++) {
        if ((unsigned char)*c < ' ') {
            *c = '?';
        }
    }
    return text;
}

/* One entry at BUF of at most LEN bytes; its size, or 0 when it does not fit. */
static uint64_t parse_snapshot(Qcow2Snapshot *sn, const uint8_t *buf, uint64_t len)
{
    uint64_t id_len, name_len, extra, need;

    if (len < 40) {
        return 0;
    }
    sn->l1_offset = get_be(buf, 8);
    sn->l1_size = (uint32_t)get_be(buf + 8, 4);
    id_len = get_be(buf + 12, 2);
    name_len = get_be(buf + 14, 2);
    sn->date_sec = (uint32_t)get_be(buf + 16, 4);
    sn->date_nsec = (uint32_t)get_be(buf + 20, 4);
    sn->vm_clock_ns = get_be(buf + 24, 8);
    sn->vm_state_size = get_be(buf + 32, 4);
    sn->icount = UINT64_MAX;
    extra = get_be(buf + 36, 4);
    need = 40 + extra + id_len + name_len;
    if (extra > 1024 || need > len) {
        return 0;
    }
    if (extra >= 8) {
        sn->vm_state_size = get_be(buf + 40, 8);
    }
    if (extra >= 16) {
        sn->disk_size = get_be(buf + 48, 8);
        sn->has_disk_size = true;
    }
    if (extra >= 24) {
        sn->icount = get_be(buf + 56, 8);
    }
    sn->id = get_text(buf + 40 + extra, id_len);
    sn->name = get_text(buf + 40 + extra + id_len, name_len);
    return (need + 7) & ~(uint64_t)7;
}

bool qcow2_co_read_snapshots(Qcow2 *s, GError **err)
{
    uint64_t file_len = block_node_length(s->file), at = 0, len;
    g_autofree uint8_t *buf = NULL;
    int r;

    if (s->h.snapshot_count == 0) {
        return true;
    }
    len = MIN(file_len - MIN(s->h.snapshots_offset, file_len), QCOW2_MAX_SNAP_BYTES);
    /* The table says nothing of its length: read what the entries can take at most. */
    len = MIN(len, (uint64_t)s->h.snapshot_count * (40 + 1024 + 2 * 65535 + 8));
    buf = g_try_malloc(len ? len : 1);
    if (!buf) {
        emu_set_error(err, "Could not open '%s': no memory for its snapshot table",
                      s->node->filename);
        return false;
    }
    r = block_co_read_buf(s->file, s->h.snapshots_offset, buf, len);
    if (r < 0) {
        emu_set_error(err, "Could not read the snapshot table of '%s': %s", s->node->filename,
                      g_strerror(-r));
        return false;
    }
    s->snapshots = g_new0(Qcow2Snapshot, s->h.snapshot_count);
    for (uint32_t i = 0; i < s->h.snapshot_count; i++) {
        Qcow2Snapshot *sn = &s->snapshots[i];
        uint64_t used = parse_snapshot(sn, buf + at, len - at);

        if (!used || sn->l1_offset & (s->cluster_size - 1) ||
            (uint64_t)sn->l1_size * 8 > QCOW2_MAX_L1_BYTES || sn->l1_offset > file_len ||
            (uint64_t)sn->l1_size * 8 > file_len - sn->l1_offset) {
            emu_set_error(err, "Could not open '%s': entry %u of its snapshot table is invalid",
                          s->node->filename, i);
            return false;
        }
        at = MIN(at + used, len);
    }
    s->snapshots_bytes = at;
    return true;
}
