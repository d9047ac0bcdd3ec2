/*
 * Scatter lists, buffers and names: the small tools of the block layer.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/block-int.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int iov_slice(struct iovec *out, const struct iovec *iov, int iovcnt, uint64_t skip, uint64_t bytes)
{
    int n = 0;

    for (int i = 0; i < iovcnt && bytes > 0; i++) {
        uint64_t len = iov[i].iov_len;

        if (skip >= len) {
            skip -= len;
            continue;
        }
        len = MIN(len - skip, bytes);
        out[n].iov_base = (char *)iov[i].iov_base + skip;
        out[n++].iov_len = len;
        skip = 0;
        bytes -= len;
    }
    return n;
}

enum iov_verb { IOV_ZERO, IOV_FROM, IOV_TO };

static void iov_copy(const struct iovec *iov, int iovcnt, uint64_t skip, char *buf, uint64_t bytes,
                     enum iov_verb verb)
{
    for (int i = 0; i < iovcnt && bytes > 0; i++) {
        uint64_t len = iov[i].iov_len;
        char *at;

        if (skip >= len) {
            skip -= len;
            continue;
        }
        len = MIN(len - skip, bytes);
        at = (char *)iov[i].iov_base + skip;
        if (verb == IOV_ZERO) {
            memset(at, 0, len);
        } else if (verb == IOV_FROM) {
            memcpy(at, buf, len);
            buf += len;
        } else {
            memcpy(buf, at, len);
            buf += len;
        }
        skip = 0;
        bytes -= len;
    }
}

void iov_zero(const struct iovec *iov, int iovcnt, uint64_t skip, uint64_t bytes)
{
    iov_copy(iov, iovcnt, skip, NULL, bytes, IOV_ZERO);
}

void iov_from_buf(const struct iovec *iov, int iovcnt, uint64_t skip, const void *buf,
                  uint64_t bytes)
{
    iov_copy(iov, iovcnt, skip, (char *)buf, bytes, IOV_FROM);
}

void iov_to_buf(const struct iovec *iov, int iovcnt, uint64_t skip, void *buf, uint64_t bytes)
{
    iov_copy(iov, iovcnt, skip, buf, bytes, IOV_TO);
}

bool buffer_is_zero(const void *buf, size_t len)
{
    const uint8_t *p = buf;
    uint64_t acc = 0, w[8];

    /* Data mostly differs at once: look at both ends and the middle first. */
    if (len == 0) {
        return true;
    }
    if (p[0] | p[len / 2] | p[len - 1]) {
        return false;
    }
    while (len >= sizeof(w)) {
        memcpy(w, p, sizeof(w));
        acc = w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7];
        if (acc) {
            return false;
        }
        p += sizeof(w);
        len -= sizeof(w);
    }
    for (; len > 0; len--) {
        acc |= *p++;
    }
    return acc == 0;
}

bool iov_is_zero(const struct iovec *iov, int iovcnt)
{
    for (int i = 0; i < iovcnt; i++) {
        if (!buffer_is_zero(iov[i].iov_base, iov[i].iov_len)) {
            return false;
        }
    }
    return true;
}

void *block_buffer_new(size_t bytes)
{
    void *p = aligned_alloc(4096, (bytes + 4095) & ~(size_t)4095);

    if (!p) {
        g_error("out of memory for a block buffer of %zu bytes", bytes);
    }
    return p;
}

const void *block_zero_buffer(size_t *size)
{
    static const uint8_t *zeroes;
    const size_t bytes = 1 << 20;

    *size = bytes;
    if (g_once_init_enter(&zeroes)) {
        void *p = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        g_assert(p != MAP_FAILED);
        g_once_init_leave(&zeroes, p);
    }
    return zeroes;
}

/* What other programs' probing goes by; see block_driver_raw's write check. */
static const struct {
    const char *magic;
    unsigned offset, len;
} other_formats[] = {
    {"QFI\xfb", 0, 4},                /* qcow, qcow2 */
    {"QED\0", 0, 4},                  /* qed */
    {"KDMV", 0, 4},                   /* vmdk */
    {"COWD", 0, 4},                   /* vmdk 3 */
    {"# Disk DescriptorFile", 0, 21}, /* vmdk descriptor */
    {"conectix", 0, 8},               /* vpc */
    {"vhdxfile", 0, 8},               /* vhdx */
    {"LUKS\xba\xbe", 0, 6},           /* luks */
    {"WithoutFreeSpace", 0, 16},      /* parallels */
    {"WithouFreSpacExt", 0, 16},      /* parallels */
    {"Bochs Virtual HD Image", 0, 22},
    {"#!/bin/sh\n#V2.0 Format", 0, 23}, /* cloop */
    {"\x7f\x10\xda\xbe", 64, 4},        /* vdi */
};

bool block_looks_like_format(const uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < G_N_ELEMENTS(other_formats); i++) {
        size_t end = (size_t)other_formats[i].offset + other_formats[i].len;

        if (len >= end && memcmp(buf + other_formats[i].offset, other_formats[i].magic,
                                 other_formats[i].len) == 0) {
            return true;
        }
    }
    return false;
}

char *block_path_combine(const char *image, const char *name)
{
    g_autofree char *dir = NULL;

    if (g_str_has_prefix(name, "file:")) {
        name += strlen("file:");
    } else if (name[strcspn(name, ":/")] == ':') {
        return g_strdup(name); /* another protocol's name, refused when it is opened */
    }
    if (g_path_is_absolute(name) || !image || !*image) {
        return g_strdup(name);
    }
    dir = g_path_get_dirname(image);
    if (strcmp(dir, ".") == 0 && !g_str_has_prefix(image, "./")) {
        return g_strdup(name);
    }
    return g_build_filename(dir, name, NULL);
}
