/*
 * Addresses of sockets.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "net/address.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void set_text(NetAddress *a, int socktype)
{
    char host[INET6_ADDRSTRLEN] = "", *old = a->text;
    const char *kind = socktype == SOCK_STREAM ? "tcp" : "udp";

    if (a->sa.any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &a->sa.in.sin_addr, host, sizeof(host));
        a->text = g_strdup_printf("%s:%s:%u", kind, host, ntohs(a->sa.in.sin_port));
    } else {
        inet_ntop(AF_INET6, &a->sa.in6.sin6_addr, host, sizeof(host));
        a->text = g_strdup_printf("%s:[%s]:%u", kind, host, ntohs(a->sa.in6.sin6_port));
    }
    g_free(old);
}

bool net_address_resolve(NetAddress *out, const char *host, const char *port, int socktype,
                         bool passive, GError **err)
{
    const struct addrinfo hints = {.ai_socktype = socktype, .ai_flags = passive ? AI_PASSIVE : 0};
    struct addrinfo *list = NULL;
    uint64_t number;
    int ret;

    *out = (NetAddress){.fd = -1};
    if (!parse_uint(port, 65535, &number)) {
        emu_set_error(err, "'%s' is no port from 0 to 65535", port);
        return false;
    }
    if (!*host && passive) {
        host = "0.0.0.0";
    }
    ret = getaddrinfo(*host ? host : NULL, port, &hints, &list);
    if (ret || !list || list->ai_addrlen > sizeof(out->sa)) {
        emu_set_error(err, "'%s:%s': %s", host, port, gai_strerror(ret));
        return false;
    }
    memcpy(&out->sa, list->ai_addr, list->ai_addrlen);
    out->len = list->ai_addrlen;
    freeaddrinfo(list);
    set_text(out, socktype);
    return true;
}

bool net_address_parse(NetAddress *out, const char *text, int socktype, bool passive, GError **err)
{
    const char *colon = strrchr(text, ':');
    g_autofree char *host = colon ? g_strndup(text, (gsize)(colon - text)) : NULL;
    size_t len = host ? strlen(host) : 0;

    *out = (NetAddress){.fd = -1};
    if (!colon) {
        emu_set_error(err, "'%s' should be HOST:PORT", text);
        return false;
    }
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        memmove(host, host + 1, len - 2);
        host[len - 2] = '\0';
    }
    return net_address_resolve(out, host, colon + 1, socktype, passive, err);
}

static bool unix_address(NetAddress *out, const char *path, GError **err)
{
    size_t len = strlen(path);

    if (!len || len >= sizeof(out->sa.un.sun_path)) {
        emu_set_error(err, "path=%s: a socket's name has 1 to %zu characters", path,
                      sizeof(out->sa.un.sun_path) - 1);
        return false;
    }
    out->sa.un.sun_family = AF_UNIX;
    memcpy(out->sa.un.sun_path, path, len);
    out->len = sizeof(struct sockaddr_un);
    out->text = g_strdup_printf("unix:%s", path);
    return true;
}

bool net_fd_parse(const char *text, bool socket, int *fd, GError **err)
{
    uint64_t number;
    struct stat st;

    if (!parse_uint(text, INT32_MAX, &number)) {
        emu_set_error(err, "'%s' is no number of a file descriptor", text);
        return false;
    }
    if (fstat((int)number, &st) < 0 || (socket && !S_ISSOCK(st.st_mode))) {
        emu_set_error(err, "file descriptor %s is not %s", text, socket ? "a socket" : "open");
        return false;
    }
    *fd = (int)number;
    fcntl(*fd, F_SETFD, FD_CLOEXEC);
    return fcntl(*fd, F_SETFL, fcntl(*fd, F_GETFL) | O_NONBLOCK) == 0;
}

static const char *get(KeyVal *kv, const char *prefix, const char *key)
{
    g_autofree char *name = g_strdup_printf("%s.%s", prefix, key);

    return keyval_get(kv, name);
}

bool net_address_get(NetAddress *out, KeyVal *kv, const char *prefix, int socktype, bool passive,
                     GError **err)
{
    const char *type = get(kv, prefix, "type"), *a, *b;
    bool ok = false;

    *out = (NetAddress){.fd = -1};
    if (!type) {
        return true;
    }
    if (!strcmp(type, "inet")) {
        a = get(kv, prefix, "host");
        b = get(kv, prefix, "port");
        if (!a || !b) {
            emu_set_error(err, "%s.type=inet needs %s.host= and %s.port=", prefix, prefix, prefix);
        } else {
            ok = net_address_resolve(out, a, b, socktype, passive, err);
        }
    } else if (!strcmp(type, "unix")) {
        a = get(kv, prefix, "path");
        if (!a) {
            emu_set_error(err, "%s.type=unix needs %s.path=", prefix, prefix);
        } else {
            ok = unix_address(out, a, err);
        }
    } else if (!strcmp(type, "fd")) {
        a = get(kv, prefix, "str");
        if (!a) {
            emu_set_error(err, "%s.type=fd needs %s.str=, the number of a descriptor", prefix,
                          prefix);
        } else if (net_fd_parse(a, true, &out->fd, err)) {
            out->text = g_strdup_printf("fd:%d", out->fd);
            ok = true;
        }
    } else {
        emu_set_error(err, "%s.type=%s is none of inet, unix and fd", prefix, type);
    }
    return ok;
}

void net_address_clear(NetAddress *a)
{
    g_clear_pointer(&a->text, g_free);
}

bool net_address_is_multicast(const NetAddress *a)
{
    return a->len && a->sa.any.sa_family == AF_INET &&
           IN_MULTICAST(ntohl(a->sa.in.sin_addr.s_addr));
}

int net_socket_bind(const NetAddress *a, int socktype, GError **err)
{
    int fd = socket(a->sa.any.sa_family, socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int one = 1;
    struct stat st;

    if (fd < 0) {
        emu_set_error(err, "%s: %s", a->text, g_strerror(errno));
        return -1;
    }
    if (a->sa.any.sa_family == AF_UNIX) {
        if (!lstat(a->sa.un.sun_path, &st) && S_ISSOCK(st.st_mode)) {
            unlink(a->sa.un.sun_path);
        }
    } else if (socktype == SOCK_STREAM || net_address_is_multicast(a)) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    }
    if (bind(fd, &a->sa.any, a->len) < 0 || (socktype == SOCK_STREAM && listen(fd, 1) < 0)) {
        emu_set_error(err, "%s: %s", a->text, g_strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}
