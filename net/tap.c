/*
 * -netdev tap: a TAP interface of the host (linux/Documentation/networking/tuntap.rst), with
 * checksum and segmentation offloads as far as the card takes them. -netdev bridge: the same, made
 * by a helper program that has the privilege and puts it into a bridge. SPDX-License-Identifier:
 * GPL-2.0-or-later
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/address.h"

#include "net/net_int.h"

enum { FRAMES_AT_ONCE = 64, SMALL = 4096 };

/* Since Linux 6.2; the headers may be older. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define DEFAULT_UP     "/etc/qemu-ifup"
#define DEFAULT_DOWN   "/etc/qemu-ifdown"
#define DEFAULT_HELPER "/usr/lib/qemu/qemu-bridge-helper"

typedef struct NetTap {
    NetClient c;
    NetClientOps ops;
    int fd;
    char ifname[IFNAMSIZ];
    char *downscript, *helper, *bridge;
    bool vnet_hdr, uso;
    NetWatch *watch;
    bool paused;        /* nothing is read: the peer's queue is full */
    bool blocked;       /* a frame waits until the interface takes it */
    NetPacket *scratch; /* NET_FRAME_MAX bytes, to read into */
} NetTap;

static NetTap *tap_of(NetClient *c)
{
    return (NetTap *)c;
}

static void update_watch(NetTap *s)
{
    net_watch_set(s->watch, (s->paused ? 0 : EPOLLIN) | (s->blocked ? EPOLLOUT : 0));
}

/* ---- frames ---- */

static bool tap_receive(NetClient *c, NetPacket *pkt)
{
    NetTap *s = tap_of(c);
    struct iovec iov[2] = {{&pkt->hdr, sizeof(pkt->hdr)}, {pkt->data, pkt->len}};
    ssize_t n = writev(s->fd, s->vnet_hdr ? iov : iov + 1, s->vnet_hdr ? 2 : 1);

    if (n < 0 && errno == EAGAIN) {
        s->blocked = true;
        update_watch(s);
        return false;
    }
    g_free(pkt); /* a frame that the kernel does not want, or an interface that is down */
    return true;
}

/* What was read is passed on: copied when it is small, else as it is. */
static void pass_on(NetTap *s, uint32_t len)
{
    NetPacket *pkt = s->scratch;

    pkt->len = len;
    if (!s->vnet_hdr) {
        pkt->hdr = (NetHdr){0};
    }
    if (len <= SMALL) {
        pkt = net_packet_dup(pkt);
    } else {
        s->scratch = net_packet_new(NET_FRAME_MAX);
    }
    net_send(&s->c, pkt);
}

static void read_frames(NetTap *s)
{
    size_t extra = s->vnet_hdr ? sizeof(NetHdr) : 0;

    for (int i = 0; i < FRAMES_AT_ONCE; i++) {
        struct iovec iov[2] = {{&s->scratch->hdr, sizeof(NetHdr)},
                               {s->scratch->data, NET_FRAME_MAX}};
        ssize_t n = readv(s->fd, s->vnet_hdr ? iov : iov + 1, s->vnet_hdr ? 2 : 1);

        if (n < 0) {
            break;
        }
        if ((size_t)n >= extra + NET_ETH_HEADER) {
            pass_on(s, (uint32_t)((size_t)n - extra));
            s->paused = !net_can_send(&s->c);
            if (s->paused) {
                break;
            }
        }
    }
    update_watch(s);
}

static void tap_ready(void *opaque, uint32_t events)
{
    NetTap *s = opaque;

    if (s->blocked && (events & EPOLLOUT)) {
        s->blocked = false;
        net_client_ready(&s->c);
    }
    if (!s->paused) {
        read_frames(s);
    }
}

static void tap_resume(NetClient *c)
{
    NetTap *s = tap_of(c);

    s->paused = false;
    update_watch(s);
}

/* The kernel leaves undone what the card will do. */
static void tap_peer_accepts(NetClient *c, uint32_t accepts)
{
    static const struct {
        uint32_t net;
        unsigned tun;
    } bits[] = {
        {NET_OFFLOAD_CSUM, TUN_F_CSUM}, {NET_OFFLOAD_TSO4, TUN_F_TSO4},
        {NET_OFFLOAD_TSO6, TUN_F_TSO6}, {NET_OFFLOAD_ECN, TUN_F_TSO_ECN},
        {NET_OFFLOAD_USO4, TUN_F_USO4}, {NET_OFFLOAD_USO6, TUN_F_USO6},
    };
    const uint32_t uso = NET_OFFLOAD_USO4 | NET_OFFLOAD_USO6;
    NetTap *s = tap_of(c);
    unsigned features = 0;

    if (!s->vnet_hdr) {
        return;
    }
    if (!(accepts & NET_OFFLOAD_CSUM)) {
        accepts = 0; /* the kernel's others build on it */
    }
    if (!s->uso || (accepts & uso) != uso) {
        accepts &= ~uso;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(bits); i++) {
        features |= accepts & bits[i].net ? bits[i].tun : 0;
    }
    ioctl(s->fd, TUNSETOFFLOAD, features);
}

/* ---- scripts and helpers ---- */

/* Runs ARGV and waits for it; false with ERR unless it exits with status 0. */
static bool run(const char *what, char **argv, GError **err)
{
    int status;

    if (!g_spawn_sync(NULL, argv, NULL, G_SPAWN_DEFAULT | G_SPAWN_CHILD_INHERITS_STDIN, NULL, NULL,
                      NULL, NULL, &status, err)) {
        g_prefix_error(err, "%s: ", what);
        return false;
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        emu_set_error(err, "%s%s failed with status %d", what, argv[0],
                      WIFEXITED(status) ? WEXITSTATUS(status) : -1);
        return false;
    }
    return true;
}

/* SCRIPT as the option gives it, "no" and "" meaning none, NULL the default. */
static char *script_path(const char *script, const char *fallback)
{
    if (!script) {
        return g_strdup(fallback);
    }
    return !*script || !strcmp(script, "no") ? NULL : g_strdup(script);
}

static bool run_script(NetTap *s, const char *what, const char *path, GError **err)
{
    char *argv[] = {(char *)path, s->ifname, NULL};

    return run(what, argv, err);
}

/* The descriptor that a helper sends on FD (unix(7), SCM_RIGHTS); -1. */
static int receive_fd(int fd)
{
    char byte;
    struct iovec iov = {&byte, 1};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *c;
    int got = -1;

    if (recvmsg(fd, &msg, MSG_CMSG_CLOEXEC) <= 0) {
        return -1;
    }
    c = CMSG_FIRSTHDR(&msg);
    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
        c->cmsg_len == CMSG_LEN(sizeof(int))) {
        memcpy(&got, CMSG_DATA(c), sizeof(got));
    }
    return got;
}

static void keep_open(gpointer fd)
{
    fcntl(GPOINTER_TO_INT(fd), F_SETFD, 0);
}

static int open_by_helper(const char *helper, const char *bridge, GError **err)
{
    int pair[2], fd = -1;
    GPid pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        emu_set_error(err, "helper=%s: %s", helper, g_strerror(errno));
        return -1;
    }
    g_autofree char *fd_arg = g_strdup_printf("--fd=%d", pair[1]);
    g_autofree char *br_arg = g_strdup_printf("--br=%s", bridge);
    char *argv[] = {(char *)helper, "--use-vnet", fd_arg, br_arg, NULL};
    bool ok =
        g_spawn_async(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_LEAVE_DESCRIPTORS_OPEN,
                      keep_open, GINT_TO_POINTER(pair[1]), &pid, err);
    close(pair[1]);
    if (ok) {
        fd = receive_fd(pair[0]);
        waitpid(pid, NULL, 0);
        if (fd < 0) {
            emu_set_error(err, "helper=%s: it gave no interface for bridge %s", helper, bridge);
        }
    } else {
        g_prefix_error(err, "helper=%s: ", helper);
    }
    close(pair[0]);
    return fd;
}

/* ---- opening ---- */

static int open_tun(const char *ifname, bool vnet_hdr, char name[IFNAMSIZ], GError **err)
{
    struct ifreq req = {.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | (vnet_hdr ? IFF_VNET_HDR : 0))};
    int fd;

    if (ifname && (!*ifname || strlen(ifname) >= IFNAMSIZ)) {
        emu_set_error(err, "ifname=%s: an interface's name has 1 to %d characters", ifname,
                      IFNAMSIZ - 1);
        return -1;
    }
    fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        emu_set_error(err, "/dev/net/tun: %s", g_strerror(errno));
        return -1;
    }
    g_strlcpy(req.ifr_name, ifname ? ifname : "tap%d", IFNAMSIZ);
    if (ioctl(fd, TUNSETIFF, &req) < 0) {
        emu_set_error(err, "interface %s: %s", ifname ? ifname : "tap%d", g_strerror(errno));
        close(fd);
        return -1;
    }
    g_strlcpy(name, req.ifr_name, IFNAMSIZ);
    return fd;
}

/* Name and header of an interface that somebody else opened. */
static bool inspect(NetTap *s, GError **err)
{
    struct ifreq req = {0};

    if (ioctl(s->fd, TUNGETIFF, &req) < 0 || !(req.ifr_flags & IFF_TAP)) {
        emu_set_error(err, "fd=%d is no TAP interface", s->fd);
        return false;
    }
    g_strlcpy(s->ifname, req.ifr_name, IFNAMSIZ);
    s->vnet_hdr = req.ifr_flags & IFF_VNET_HDR;
    fcntl(s->fd, F_SETFL, fcntl(s->fd, F_GETFL) | O_NONBLOCK);
    return true;
}

static void start(NetTap *s)
{
    const uint32_t gso = NET_OFFLOAD_TSO4 | NET_OFFLOAD_TSO6 | NET_OFFLOAD_ECN;
    int size = sizeof(NetHdr);

    if (s->vnet_hdr) {
        ioctl(s->fd, TUNSETVNETHDRSZ, &size);
        s->uso = ioctl(s->fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_USO4 | TUN_F_USO6) == 0;
        ioctl(s->fd, TUNSETOFFLOAD, 0);
        s->c.accepts = NET_OFFLOAD_CSUM | gso | (s->uso ? NET_OFFLOAD_USO4 | NET_OFFLOAD_USO6 : 0);
    }
    s->scratch = net_packet_new(NET_FRAME_MAX);
    s->watch = net_watch_new(s->fd, tap_ready, s);
    update_watch(s);
}

static void tap_describe(NetClient *c, GString *out)
{
    const NetTap *s = tap_of(c);

    if (s->helper) {
        g_string_append_printf(out, "helper=%s,br=%s", s->helper, s->bridge);
    } else {
        g_string_append_printf(out, "ifname=%s,vnet_hdr=%s", s->ifname, s->vnet_hdr ? "on" : "off");
    }
}

static void tap_close(NetClient *c)
{
    NetTap *s = tap_of(c);
    g_autoptr(GError) err = NULL;

    net_watch_free(s->watch);
    if (s->downscript && !run_script(s, "downscript=", s->downscript, &err)) {
        g_printerr("%s: -netdev %s: %s\n", g_get_prgname(), c->name, err->message);
    }
    if (s->fd >= 0) {
        close(s->fd);
    }
    g_free(s->downscript);
    g_free(s->helper);
    g_free(s->bridge);
    g_free(s->scratch);
}

static NetTap *tap_new(const char *id, const char *type)
{
    NetTap *s = g_new0(NetTap, 1);

    s->ops = (NetClientOps){
        .type = type,
        .receive = tap_receive,
        .resume = tap_resume,
        .peer_accepts = tap_peer_accepts,
        .describe = tap_describe,
        .close = tap_close,
    };
    net_client_init(&s->c, &s->ops, id, 0);
    s->fd = -1;
    return s;
}

static bool open_with_scripts(NetTap *s, KeyVal *kv, const char *ifname, GError **err)
{
    g_autofree char *up = script_path(keyval_get(kv, "script"), DEFAULT_UP);
    g_autofree char *down = script_path(keyval_get(kv, "downscript"), DEFAULT_DOWN);
    bool vnet_hdr = true;

    if (!keyval_get_bool(kv, "vnet_hdr", &vnet_hdr, err)) {
        return false;
    }
    if (up && access(up, X_OK) < 0) {
        emu_set_error(err, "script=%s: %s; script=no runs none", up, g_strerror(errno));
        return false;
    }
    s->vnet_hdr = vnet_hdr;
    s->fd = open_tun(ifname, vnet_hdr, s->ifname, err);
    if (s->fd < 0 || (up && !run_script(s, "script=", up, err))) {
        return false;
    }
    if (down && !access(down, X_OK)) {
        s->downscript = g_steal_pointer(&down);
    }
    return true;
}

static bool open_helper(NetTap *s, const char *helper, const char *bridge, GError **err)
{
    s->helper = g_strdup(helper);
    s->bridge = g_strdup(bridge ? bridge : "br0");
    s->fd = open_by_helper(s->helper, s->bridge, err);
    return s->fd >= 0 && inspect(s, err);
}

/* Keys that the other ways to open one leave without meaning. */
static bool check_alone(KeyVal *kv, const char *key, const char *const *others, GError **err)
{
    for (; *others; others++) {
        if (keyval_get(kv, *others)) {
            emu_set_error(err, "%s= does not go with %s=", *others, key);
            return false;
        }
    }
    return true;
}

NetClient *net_tap_create(const char *id, KeyVal *kv, GError **err)
{
    static const char *const fd_others[] = {"ifname",     "script",   "helper", "br",
                                            "downscript", "vnet_hdr", NULL};
    static const char *const helper_others[] = {"ifname", "script", "downscript", "vnet_hdr", NULL};
    const char *fd = keyval_get(kv, "fd"), *helper = keyval_get(kv, "helper");
    const char *ifname = keyval_get(kv, "ifname"), *bridge = keyval_get(kv, "br");
    NetTap *s = tap_new(id, "tap");
    bool ok;

    if (fd) {
        ok = check_alone(kv, "fd", fd_others, err) && net_fd_parse(fd, false, &s->fd, err) &&
             inspect(s, err);
    } else if (helper) {
        ok = check_alone(kv, "helper", helper_others, err) && open_helper(s, helper, bridge, err);
    } else if (bridge) {
        emu_set_error(err, "br= goes with helper= only");
        ok = false;
    } else {
        ok = open_with_scripts(s, kv, ifname, err);
    }
    if (!ok) {
        net_client_free(&s->c);
        return NULL;
    }
    start(s);
    return &s->c;
}

NetClient *net_bridge_create(const char *id, KeyVal *kv, GError **err)
{
    const char *helper = keyval_get(kv, "helper"), *bridge = keyval_get(kv, "br");
    NetTap *s = tap_new(id, "bridge");

    if (!open_helper(s, helper ? helper : DEFAULT_HELPER, bridge, err)) {
        net_client_free(&s->c);
        return NULL;
    }
    start(s);
    return &s->c;
}
