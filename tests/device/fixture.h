/*
 * A machine with memory, ports, a PCI bus and sixteen interrupt lines, but without a CPU: device
 * tests poke it through ports and memory. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef TESTS_DEVICE_FIXTURE_H
#define TESTS_DEVICE_FIXTURE_H

#include "core/irq.h"
#include "core/machine.h"
#include "hw/pci/pci.h"

typedef struct Fixture {
    Machine machine;
    Device host; /* the PCI bus hangs on it */
    PciBus *pci;
    IrqLine irqs[16];
    int irq_level[16];
    unsigned irq_rises[16];
    GPtrArray *devices; /* newest last; freed in reverse */
    GSList *files;
} Fixture;

/* On the main thread, which holds the machine lock from then on. */
Fixture *fixture_new(uint64_t ram_size);
void fixture_free(Fixture *f);

/* Creates and realizes; fails the test if it cannot be done. */
Device *fixture_add(Fixture *f, Bus *bus, const DeviceClass *cls, const char *props);
/* An image file of SIZE bytes whose sector N starts with N as 8 bytes and then repeats (uint8_t)(N
 * * 7 + position); added as drive ID, with EXTRA options (",media=cdrom" and the like). */
char *fixture_image(Fixture *f, uint64_t size);
void fixture_drive(Fixture *f, const char *id, const char *path, const char *extra);
void fixture_sector(uint64_t sector, uint8_t out[512]);

uint32_t fixture_in(Fixture *f, uint16_t port, unsigned size);
void fixture_out(Fixture *f, uint16_t port, uint32_t value, unsigned size);
/* Lets I/O threads and the main loop work. */
void fixture_breathe(Fixture *f);
/* All state of DEV as bytes, and back. */
GByteArray *fixture_save(Device *dev);
void fixture_load(Device *dev, const GByteArray *state);

#endif
