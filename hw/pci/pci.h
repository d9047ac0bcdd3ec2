/*
 * PCI devices and buses (PCI Local Bus 3.0): configuration space, BARs, interrupt pins, MSI and
 * MSI-X.
 *
 * A PCI device's struct embeds PciDevice first; its DeviceClass.bus_class is a PciClass. The bus
 * layer fills configuration space from it, sizes and maps BARs, and routes INTA#..INTD# to the host
 * bridge. Machine lock held throughout. SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_PCI_PCI_H
#define HW_PCI_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "core/device.h"
#include "core/irq.h"
#include "core/memory.h"

typedef struct PciDevice PciDevice;
typedef struct PciBus PciBus;

enum { PCI_CONFIG_SIZE = 256, PCI_BARS = 6, PCI_ROM_BAR = 6 };

/* Configuration space, type 0 header (PCI 3.0, 6.1). */
enum {
    PCI_VENDOR_ID = 0x00,
    PCI_DEVICE_ID = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_REVISION_ID = 0x08,
    PCI_CLASS_PROG = 0x09,
    PCI_CACHE_LINE_SIZE = 0x0c,
    PCI_LATENCY_TIMER = 0x0d,
    PCI_HEADER_TYPE = 0x0e,
    PCI_BASE_ADDRESS_0 = 0x10,
    PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
    PCI_SUBSYSTEM_ID = 0x2e,
    PCI_ROM_ADDRESS = 0x30,
    PCI_CAPABILITY_LIST = 0x34,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d,

    PCI_COMMAND_IO = 1 << 0,
    PCI_COMMAND_MEMORY = 1 << 1,
    PCI_COMMAND_MASTER = 1 << 2,
    PCI_COMMAND_PARITY = 1 << 6,
    PCI_COMMAND_SERR = 1 << 8,
    PCI_COMMAND_INTX_DISABLE = 1 << 10,
    PCI_STATUS_INTERRUPT = 1 << 3,
    PCI_STATUS_CAP_LIST = 1 << 4,
    PCI_HEADER_MULTIFUNCTION = 0x80,

    PCI_CAP_ID_PM = 0x01,
    PCI_CAP_ID_MSI = 0x05,
    PCI_CAP_ID_VENDOR = 0x09,
    PCI_CAP_ID_MSIX = 0x11,
};

static inline uint8_t pci_devfn(int slot, int function)
{
    return (uint8_t)(slot << 3 | function);
}

typedef struct PciClass {
    uint16_t vendor_id, device_id;
    uint16_t subsystem_vendor_id, subsystem_id; /* both 0: 1AF4:1100 */
    uint32_t class_code;                        /* 24 bits: class, subclass, interface */
    uint8_t revision;
    uint8_t interrupt_pin; /* 0 none, 1 INTA# .. 4 INTD# */
    bool multifunction, bridge;
    const char *romfile; /* default option ROM, NULL: none */
    /* Hooks, optional: called for accesses to configuration space; the default handler has the
     * masks of pci_set_*; WRITE is called after it was applied, with the range changed. */
    uint32_t (*config_read)(PciDevice *dev, uint32_t addr, unsigned size, uint32_t value);
    void (*config_written)(PciDevice *dev, uint32_t addr, unsigned size);
    /* It has left the bus, or never quite come: its regions are gone. */
    void (*detached)(PciDevice *dev);
} PciClass;

typedef struct PciBar {
    MemRegion *region;
    uint64_t size;
    bool io, mem64, prefetch;
    uint64_t mapped_at; /* guest address, UINT64_MAX while not mapped */
} PciBar;

/* MSI-X: the table in the lower half of one page, the pending bits in the upper. */
enum { PCI_MSIX_VECTORS = 128, PCI_MSIX_ENTRY = 16, PCI_MSIX_PBA_OFFSET = 2048 };

struct PciDevice {
    Device dev;
    int32_t devfn_prop; /* "addr" */
    char *romfile_prop;
    bool rombar_prop;
    bool multifunction_prop;
    uint16_t device_id; /* the class's, unless realize chose another */
    uint8_t devfn;      /* slot << 3 | function, once attached */
    PciBus *bus;
    uint8_t config[PCI_CONFIG_SIZE];
    uint8_t wmask[PCI_CONFIG_SIZE];   /* writable bits */
    uint8_t w1cmask[PCI_CONFIG_SIZE]; /* bits cleared by writing 1 */
    PciBar bars[PCI_BARS + 1];
    RamBlock *rom_block;       /* contents of the option ROM, NULL: none */
    uint8_t cap_end;           /* where the next capability goes */
    uint8_t irq_level;         /* what the device drives onto its pin */
    uint8_t irq_asserted;      /* what the bus sees: not while disabled in the command register */
    uint8_t msi_cap, msix_cap; /* offsets, 0: none */
    uint32_t msix_vectors;
    uint32_t msix_table_len; /* bytes of msix_table in use */
    uint8_t msix_table[PCI_MSIX_VECTORS * PCI_MSIX_ENTRY];
    uint8_t msix_pba[PCI_MSIX_VECTORS / 8];
};

/* bus_props for every PCI class: addr, romfile, rombar, multifunction. */
extern const Property pci_props[];
/* The state of the PciDevice part; a device's own table has
 * STATE_FIELD_STRUCT(MyState, pci, &pci_state_table) first. */
extern const StateTable pci_state_table;

/* BAR of SIZE = region size (a power of two); in realize. The bus owns REGION from then on. */
void pci_register_bar_mem(PciDevice *dev, int bar, MemRegion *region, bool mem64, bool prefetch);
void pci_register_bar_io(PciDevice *dev, int bar, MemRegion *region);
/* Adds a capability of SIZE bytes, in realize; its offset, or 0 with ERR set when there is no room.
 */
uint8_t pci_add_capability(PciDevice *dev, uint8_t cap_id, uint8_t size, GError **err);

/* Little-endian access to configuration space, for the device itself. */
uint32_t pci_get(const PciDevice *dev, uint32_t addr, unsigned size);
void pci_set(PciDevice *dev, uint32_t addr, unsigned size, uint32_t value);
void pci_set_wmask(PciDevice *dev, uint32_t addr, unsigned size, uint32_t mask);

/* The device's interrupt pin. */
void pci_set_irq(PciDevice *dev, int level);

/* MSI and MSI-X. */
bool pci_msi_init(PciDevice *dev, unsigned vectors, GError **err);
bool pci_msi_enabled(const PciDevice *dev);
void pci_msi_notify(PciDevice *dev, unsigned vector);
/* Table and pending bits in their own BAR (one page). */
bool pci_msix_init(PciDevice *dev, unsigned vectors, int bar, GError **err);
bool pci_msix_enabled(const PciDevice *dev);
void pci_msix_notify(PciDevice *dev, unsigned vector);
bool pci_msix_vector_masked(const PciDevice *dev, unsigned vector);
/* Masks all vectors, clears pending bits, disables. The bus does it at a machine reset. */
void pci_msix_reset(PciDevice *dev);

/* Puts the part the bus layer knows (command, BARs, MSI, MSI-X, pin) in its state after reset. The
 * host bridge does it for every device at a machine reset, before the devices' own reset. */
void pci_device_reset(PciDevice *dev);

/* Where the device's DMA goes: system memory while bus mastering is enabled, nothing otherwise. */
AddressSpace *pci_dma_as(PciDevice *dev);
static inline MemResult pci_dma_read(PciDevice *dev, hwaddr addr, void *buf, uint64_t len)
{
    return address_space_read(pci_dma_as(dev), addr, buf, len);
}
static inline MemResult pci_dma_write(PciDevice *dev, hwaddr addr, const void *buf, uint64_t len)
{
    return address_space_write(pci_dma_as(dev), addr, buf, len);
}

/* ---- buses, for host bridges and machines ---- */

/* Routes pin PIN (0..3) of DEVFN to one of the bus's interrupt lines. */
typedef int (*PciIrqMap)(PciBus *bus, uint8_t devfn, int pin);

PciBus *pci_bus_new(Machine *m, const char *name, Device *host, MemRegion *mem, MemRegion *io);
void pci_bus_set_irqs(PciBus *bus, IrqHandler set_irq, void *opaque, int lines, PciIrqMap map);
Bus *pci_bus_qbus(PciBus *bus);
PciBus *pci_bus_from_qbus(Bus *bus);
uint32_t pci_config_read(PciBus *bus, uint8_t devfn, uint32_t addr, unsigned size);
void pci_config_write(PciBus *bus, uint8_t devfn, uint32_t addr, uint32_t value, unsigned size);
PciDevice *pci_bus_device(PciBus *bus, uint8_t devfn);
void pci_bus_reset(PciBus *bus); /* pci_device_reset() for every device on it */
void pci_bus_free(PciBus *bus);
/* The level of one of the bus's interrupt lines. */
int pci_bus_irq_level(PciBus *bus, int line);
/* Delivers MSI writes: set once by the machine (the APIC's address window). */
void pci_bus_set_msi_handler(PciBus *bus, void (*fn)(void *opaque, uint64_t addr, uint32_t data),
                             void *opaque);

#endif
