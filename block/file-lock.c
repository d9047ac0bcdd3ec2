/*
 * Who may use an image file at the same time.
 *
 * The protocol is the one QEMU's tools speak, so that both programs keep out of each other's way.
 * Each use of a file is a set of permissions it needs and a set it will not grant to others.
 * Needing permission P is a shared OFD lock on byte 100 + P, refusing it one on byte 200 + P. One
 * may go ahead if nobody holds byte 200 + P for any P needed, nor byte 100 + P for any P refused.
 * The locks go with the open file description, so a killed process leaves none behind.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "block/block-int.h"

#include <errno.h>
#include <fcntl.h>

enum {
    PERM_CONSISTENT_READ = 0,
    PERM_WRITE = 1,
    PERM_RESIZE = 3,
    LOCK_NEED_BASE = 100,
    LOCK_REFUSE_BASE = 200,
};

static const struct {
    unsigned perm;
    const char *name;
    bool reader_needs, writer_needs, refused;
} perms[] = {
    {PERM_CONSISTENT_READ, "consistent read", true, true, false},
    {PERM_WRITE, "write", false, true, true},
    {PERM_RESIZE, "resize", false, true, true},
};

static int ofd_lock(int fd, int cmd, short type, off_t start, short *found)
{
    struct flock fl = {.l_whence = SEEK_SET, .l_start = start, .l_len = 1, .l_type = type};

    if (fcntl(fd, cmd, &fl) < 0) {
        return -errno;
    }
    if (found) {
        *found = fl.l_type;
    }
    return 0;
}

static int refuse(GError **err, const char *filename, const char *kind, const char *perm)
{
    emu_set_error(err, "Failed to get %s\"%s\" lock: is another process using the image [%s]?",
                  kind, perm, filename);
    return -1;
}

static int try_lock(int fd, const char *filename, bool writable, BlockLocking locking, GError **err)
{
    int r;

    for (size_t i = 0; i < G_N_ELEMENTS(perms); i++) {
        bool need = writable ? perms[i].writer_needs : perms[i].reader_needs;

        if (need) {
            r = ofd_lock(fd, F_OFD_SETLK, F_RDLCK, LOCK_NEED_BASE + perms[i].perm, NULL);
            if (r == -EAGAIN || r == -EACCES) {
                return refuse(err, filename, "", perms[i].name);
            }
            if (r < 0) {
                goto unsupported;
            }
        }
        if (perms[i].refused) {
            r = ofd_lock(fd, F_OFD_SETLK, F_RDLCK, LOCK_REFUSE_BASE + perms[i].perm, NULL);
            if (r == -EAGAIN || r == -EACCES) {
                return refuse(err, filename, "shared ", perms[i].name);
            }
            if (r < 0) {
                goto unsupported;
            }
        }
    }
    for (size_t i = 0; i < G_N_ELEMENTS(perms); i++) {
        bool need = writable ? perms[i].writer_needs : perms[i].reader_needs;
        short found = F_UNLCK;

        if (need) {
            r = ofd_lock(fd, F_OFD_GETLK, F_WRLCK, LOCK_REFUSE_BASE + perms[i].perm, &found);
            if (r == 0 && found != F_UNLCK) {
                return refuse(err, filename, "", perms[i].name);
            }
        }
        if (perms[i].refused) {
            r = ofd_lock(fd, F_OFD_GETLK, F_WRLCK, LOCK_NEED_BASE + perms[i].perm, &found);
            if (r == 0 && found != F_UNLCK) {
                return refuse(err, filename, "shared ", perms[i].name);
            }
        }
    }
    return 0;

unsupported:
    if (locking == BLOCK_LOCKING_ON) {
        emu_set_error(err,
                      "The file system of '%s' has no OFD locks; use locking=auto or locking=off",
                      filename);
        return -1;
    }
    return 0; /* auto: file systems without locks are used without them */
}

static void unlock_all(int fd)
{
    struct flock fl = {.l_whence = SEEK_SET, .l_start = LOCK_NEED_BASE, .l_type = F_UNLCK};

    fl.l_len = 2 * (LOCK_REFUSE_BASE - LOCK_NEED_BASE);
    fcntl(fd, F_OFD_SETLK, &fl);
}

/*
 * A process that is killed with requests on an io_uring has its files closed by the kernel a little
 * later (up to 100 ms were seen), so a busy image is asked for again before it is refused.
 */
int block_file_lock(int fd, const char *filename, bool writable, BlockLocking locking, GError **err)
{
    enum { TRIES = 25, PAUSE_NS = 10 * 1000 * 1000 };

    for (int i = 0; locking != BLOCK_LOCKING_OFF; i++) {
        GError *why = NULL;

        if (try_lock(fd, filename, writable, locking, &why) == 0) {
            break;
        }
        if (i == TRIES) {
            g_propagate_error(err, why);
            return -1;
        }
        g_error_free(why);
        unlock_all(fd);
        io_co_sleep(PAUSE_NS);
    }
    return 0;
}
