/*
 * Guest memory: RAM blocks, a tree of regions, and its flattened view.
 *
 * A MemRegion is a node of the tree: a container, RAM, ROM, an I/O window, or an alias to a part of
 * another region. The tree is changed under the machine lock inside a transaction. At the end of
 * the outermost transaction each address space's sorted FlatView is rebuilt and published whole
 * under RCU (liburcu, QSBR flavour); readers need no lock, and pointers into a view last until the
 * reader's next quiescent state. Listeners (KVM slots, TLB flush) are told the differences.
 *
 * The same tree and the same callback serve memory and ports.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef CORE_MEMORY_H
#define CORE_MEMORY_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t hwaddr;

enum { GUEST_PAGE_BITS = 12, GUEST_PAGE_SIZE = 1 << GUEST_PAGE_BITS };

/* ---- RAM blocks ---- */

typedef enum DirtyClient {
    DIRTY_DISPLAY,
    DIRTY_MIGRATION,
    DIRTY_CODE, /* inverted sense: a set bit means the page holds translated code */
    DIRTY_CLIENTS,
} DirtyClient;

/*
 * RAM or ROM contents: a memfd (or hugetlbfs / file) mapped shared at HOST for the block's whole
 * life. RAM_BASE places the block in one linear numbering of all blocks (page aligned, from 0 up,
 * not reused), so (ram_base + offset) names a byte of guest memory whatever its guest address is:
 * the translator keys its code by it.
 */
typedef struct RamBlock {
    char *name; /* unique; the name in saved states */
    uint8_t *host;
    uint64_t size; /* bytes, multiple of the page size */
    uint64_t ram_base;
    int fd;
    bool rom;                         /* contents the guest cannot write */
    uint64_t *dirty[DIRTY_CLIENTS];   /* bitmap of pages per client, NULL while the client is off */
    uint32_t dirty_on[DIRTY_CLIENTS]; /* how often each client was switched on */
} RamBlock;

/* A new zeroed block; NULL with ERR set when the host refuses. */
RamBlock *ram_block_new(const char *name, uint64_t size, GError **err);
/* After its regions are gone from every view; unmapped once no RCU reader can see it. */
void ram_block_free(RamBlock *block);
/* The block that holds host address HOST, or NULL. Lock-free. */
RamBlock *ram_block_from_host(const void *host, uint64_t *offset);
/* Every block, in order of ram_base; stops when FN returns false. Machine lock held. */
bool ram_block_foreach(bool (*fn)(RamBlock *block, void *opaque), void *opaque);
/* The block and offset of linear address RAM_ADDR; NULL when there is none. Lock-free, GPR
 * registers only. */
RamBlock *ram_block_at(uint64_t ram_addr, uint64_t *offset);

/*
 * Dirty log. Marking is atomic and lock-free. ram_block_written() is what every writer other than
 * the translator's fast path calls after it changed bytes: it marks the display and migration
 * bitmaps and, where a page holds translated code, calls the hook, which drops that code.
 */
void ram_block_written(RamBlock *block, uint64_t offset, uint64_t len);
/*
 * The part of it without the hook, compiled with GPR registers only: marks the pages, and returns
 * true when one of them holds translated code. The translator's slow path for stores calls it.
 */
bool ram_dirty_mark(RamBlock *block, uint64_t offset, uint64_t len);
/* Marks pages for display and migration by a bitmap (bit 0: the page at OFFSET), for an
 * accelerator's SYNC. */
void ram_dirty_mark_bitmap(RamBlock *block, uint64_t offset, const uint64_t *bits, uint64_t pages);
typedef void (*RamCodeHook)(void *opaque, uint64_t ram_addr, uint64_t len);
void ram_set_code_hook(RamCodeHook hook, void *opaque);

void dirty_log_enable(RamBlock *block, DirtyClient client);
void dirty_log_disable(RamBlock *block, DirtyClient client);
/*
 * Copies the pages' bits of [offset, offset+len) to OUT (bit 0: the page at offset) and clears
 * them, fetching what the accelerator gathered first and making it notice later writes, before it
 * returns: what is read from the pages afterwards is at least as new as the bits. Machine lock
 * held. Returns true if any bit was set.
 */
bool dirty_log_take(RamBlock *block, DirtyClient client, uint64_t offset, uint64_t len,
                    uint64_t *out);

/* The accelerator's part of the log: SYNC adds its bits to the block's bitmaps, CLEARED makes it
 * log the range anew (protect pages, shoot down TLBs). Either may be NULL. */
typedef struct DirtyAccelOps {
    void (*sync)(void *opaque, RamBlock *block, uint64_t offset, uint64_t len);
    void (*cleared)(void *opaque, RamBlock *block, uint64_t offset, uint64_t len);
    void (*client_changed)(void *opaque, RamBlock *block);
} DirtyAccelOps;
void dirty_log_set_accel(const DirtyAccelOps *ops, void *opaque);

/* ---- regions ---- */

typedef struct MemRegion MemRegion;
typedef struct AddressSpace AddressSpace;

/*
 * Access callbacks. ADDR is relative to the region. SIZE is 1, 2, 4 or 8 and lies in [min_size,
 * max_size]: wider guest accesses are split; of a narrower one, a read is widened to the aligned
 * unit of min_size around it and cut, a write becomes one of that unit with zeros in the other
 * bytes. Zero sizes mean 1 and 4. Values are little-endian integers. Called with the machine lock
 * held unless LOCK_FREE.
 */
typedef struct MemOps {
    uint64_t (*read)(void *opaque, hwaddr addr, unsigned size);
    void (*write)(void *opaque, hwaddr addr, uint64_t value, unsigned size);
    uint8_t min_size, max_size;
    bool lock_free;
} MemOps;

MemRegion *mem_region_container(const char *name, uint64_t size);
MemRegion *mem_region_io(const char *name, const MemOps *ops, void *opaque, uint64_t size);
/* Maps [offset, offset+size) of BLOCK; readonly regions ignore writes. */
MemRegion *mem_region_ram(const char *name, RamBlock *block, uint64_t offset, uint64_t size,
                          bool readonly);
MemRegion *mem_region_alias(const char *name, MemRegion *target, uint64_t offset, uint64_t size);
/* Removes it from its parent if it has one, and frees it once no view refers to it. */
void mem_region_free(MemRegion *mr);

/*
 * Doorbells: writes that only wake somebody up. An accelerator that can (ACCEL_CAP_DOORBELLS) takes
 * such a write over: FD, an eventfd, becomes readable, and the region's callback is not called. So
 * a region with doorbells does on the eventfd what its callback does on the write; both happen.
 */
typedef struct MemDoorbell {
    hwaddr offset; /* in the region */
    uint8_t size;  /* of the write, bytes */
    bool match;    /* only writes of VALUE */
    uint64_t value;
    int fd; /* open until the region has been freed */
} MemDoorbell;
/* COUNT doorbells, copied, of an I/O region that is not in a tree yet. */
void mem_region_set_doorbells(MemRegion *mr, const MemDoorbell *list, size_t count);
const MemDoorbell *mem_region_doorbells(const MemRegion *mr, size_t *count);

/* Places CHILD at OFFSET of PARENT. Where children overlap, the higher PRIORITY wins; among equals
 * the one added last. */
void mem_region_add(MemRegion *parent, hwaddr offset, MemRegion *child, int priority);
void mem_region_remove(MemRegion *child);
void mem_region_set_enabled(MemRegion *mr, bool enabled);
void mem_region_set_offset(MemRegion *mr, hwaddr offset); /* moves it inside its parent */
void mem_region_set_alias_offset(MemRegion *mr, uint64_t offset);
void mem_region_set_readonly(MemRegion *mr, bool readonly); /* RAM, or an alias to RAM */
void mem_region_set_size(MemRegion *mr, uint64_t size);
bool mem_region_enabled(const MemRegion *mr);
const char *mem_region_name(const MemRegion *mr);
uint64_t mem_region_size(const MemRegion *mr);

/* Transactions nest; views change at the end of the outermost. Each single change outside one is a
 * transaction of its own. */
void mem_transaction_begin(void);
void mem_transaction_commit(void);

/* ---- views ---- */

typedef struct FlatRange {
    hwaddr base; /* guest address */
    uint64_t size;
    MemRegion *region;
    uint64_t region_offset; /* of base, within region */
    RamBlock *ram;          /* NULL for I/O */
    uint64_t ram_offset;    /* of base, within ram */
    bool readonly;
} FlatRange;

typedef struct FlatView {
    size_t count;
    FlatRange ranges[]; /* sorted by base, not overlapping */
} FlatView;

struct AddressSpace {
    const char *name;
    MemRegion *root;
    FlatView *view; /* RCU */
    GPtrArray *listeners;
};

void address_space_init(AddressSpace *as, MemRegion *root, const char *name);
/* Takes AS out of the list of spaces that follow their trees; its listeners are told that all is
 * gone. AS may be freed afterwards by call_rcu, or at once if no other thread reads it. */
void address_space_fini(AddressSpace *as);
/* The current view. GPR registers only. The calling thread is a registered, online QSBR reader. */
const FlatView *address_space_view(const AddressSpace *as);
/* The range that holds ADDR, or NULL. Compiled with GPR registers only: callable from the
 * translator's TLB refill. */
const FlatRange *flat_view_find(const FlatView *view, hwaddr addr);

typedef struct MemListener {
    void (*begin)(void *opaque);
    void (*range_del)(void *opaque, const FlatRange *range);
    void (*range_add)(void *opaque, const FlatRange *range);
    void (*commit)(void *opaque);
    void *opaque;
} MemListener;

/* Tells LISTENER of the present ranges by range_add, and of every change from then on. */
void address_space_listen(AddressSpace *as, const MemListener *listener);
void address_space_unlisten(AddressSpace *as, const MemListener *listener);

/* ---- access ---- */

typedef enum MemResult { MEM_OK, MEM_UNASSIGNED } MemResult;

/*
 * An access to one region, as MemOps describes, of any SIZE 1, 2, 4 or 8 at OFFSET of an I/O
 * region. The caller holds the machine lock unless mem_region_lock_free(). For the translator's I/O
 * path, which has the range already.
 */
uint64_t mem_region_io_read(MemRegion *mr, hwaddr offset, unsigned size);
void mem_region_io_write(MemRegion *mr, hwaddr offset, uint64_t value, unsigned size);
bool mem_region_lock_free(const MemRegion *mr);

/*
 * Copies between BUF and the address space; RAM lock-free, I/O under the machine lock, which is
 * taken here when the caller does not hold it. Unassigned memory reads as all ones; writes to it
 * are lost.
 */
MemResult address_space_read(AddressSpace *as, hwaddr addr, void *buf, uint64_t len);
MemResult address_space_write(AddressSpace *as, hwaddr addr, const void *buf, uint64_t len);
/* One access of SIZE 1, 2, 4 or 8 bytes, little-endian, passed to a device as one. */
uint64_t address_space_load(AddressSpace *as, hwaddr addr, unsigned size);
void address_space_store(AddressSpace *as, hwaddr addr, uint64_t value, unsigned size);
/* Writes also to ROM: firmware loading, debuggers. */
MemResult address_space_write_rom(AddressSpace *as, hwaddr addr, const void *buf, uint64_t len);

/*
 * Direct access for DMA: a host pointer to [addr, addr+*len) and, in *len, how much of it is
 * contiguous RAM (0 and NULL when ADDR is no RAM, or read-only and WRITE is set). Pins nothing: RAM
 * blocks live as long as the machine. After writing, call address_space_unmap with what was
 * written.
 */
void *address_space_map(AddressSpace *as, hwaddr addr, uint64_t *len, bool write);
void address_space_unmap(AddressSpace *as, void *host, uint64_t len, bool written);

/* Calls FN for each region of AS's tree, depth first, and for each range of its view; for `info
 * mtree`. */
void address_space_print(const AddressSpace *as, GString *out);
void address_space_print_flat(const AddressSpace *as, GString *out);

#endif
