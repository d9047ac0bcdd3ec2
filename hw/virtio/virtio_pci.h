/*
 * Virtio over PCI (virtio 1.2, 4.1): legacy, transitional and modern. Machine lock held.
 *
 * A device embeds VirtioPci first. Its three classes NAME-pci, NAME-pci-transitional and
 * NAME-pci-non-transitional differ in their PciClass and in which interfaces they have.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_VIRTIO_VIRTIO_PCI_H
#define HW_VIRTIO_VIRTIO_PCI_H

#include "hw/pci/pci.h"
#include "hw/virtio/virtio.h"

typedef struct VirtioPci {
    PciDevice pci;
    VirtioDevice vdev;
    /* properties */
    int disable_legacy_prop; /* VIRTIO_PCI_AUTO .. */
    bool disable_modern_prop;
    bool indirect_prop, event_idx_prop, ioeventfd_prop;
    uint32_t vectors_prop;

    bool legacy, modern;
    uint8_t isr;
    uint8_t cfg_cap; /* offset of the PCI configuration access capability */
    uint16_t queue_select;
    uint32_t device_feature_select, driver_feature_select;
    uint64_t driver_features; /* as written, before FEATURES_OK */
    MemRegion *legacy_bar, *modern_bar;
    struct VirtioDoorbells *doorbells; /* NULL: notifications come by writes alone */
    uint32_t rung; /* queues, a bit each, whose notification waits for the machine to run */
} VirtioPci;

/* Values of the properties every virtio-pci class has; FIRST is &VirtioPci-derived struct's name.
 */
#define VIRTIO_PCI_PROPS(s)                                                                        \
    {.name = "disable-legacy",                                                                     \
     .type = PROP_ENUM,                                                                            \
     PROP_FIELD(s, vpci.disable_legacy_prop),                                                      \
     .default_value = "auto",                                                                      \
     .values = virtio_pci_on_off_auto,                                                             \
     .description = "no legacy interface; auto: as the class's name says"},                        \
        {.name = "disable-modern",                                                                 \
         .type = PROP_BOOL,                                                                        \
         PROP_FIELD(s, vpci.disable_modern_prop),                                                  \
         .default_value = "off",                                                                   \
         .description = "no virtio 1.0 interface"},                                                \
        {.name = "indirect_desc",                                                                  \
         .type = PROP_BOOL,                                                                        \
         PROP_FIELD(s, vpci.indirect_prop),                                                        \
         .default_value = "on",                                                                    \
         .description = "offer indirect descriptors"},                                             \
        {.name = "event_idx",                                                                      \
         .type = PROP_BOOL,                                                                        \
         PROP_FIELD(s, vpci.event_idx_prop),                                                       \
         .default_value = "on",                                                                    \
         .description = "offer event indices"},                                                    \
        {.name = "ioeventfd",                                                                      \
         .type = PROP_BOOL,                                                                        \
         PROP_FIELD(s, vpci.ioeventfd_prop),                                                       \
         .default_value = "on",                                                                    \
         .description = "let KVM pass queue notifications to the main loop"},                      \
    {                                                                                              \
        .name = "vectors", .type = PROP_UINT, PROP_FIELD(s, vpci.vectors_prop),                    \
        .max = PCI_MSIX_VECTORS, .default_value = "0",                                             \
        .description = "MSI-X vectors; 0: one per queue and one for the configuration"             \
    }

extern const char *const virtio_pci_on_off_auto[];

/* The PciClasses of a device's three class names: CLASS_CODE as in PciClass; ID is VIRTIO_ID_*,
 * LEGACY_ID the transitional PCI device ID. */
#define VIRTIO_PCI_CLASS_TRANSITIONAL(id, legacy_id, code)                                         \
    {                                                                                              \
        .vendor_id = 0x1af4, .device_id = (legacy_id), .subsystem_vendor_id = 0x1af4,              \
        .subsystem_id = (id), .class_code = (code), .interrupt_pin = 1,                            \
        .config_read = virtio_pci_config_read, .config_written = virtio_pci_config_written,        \
        .detached = virtio_pci_detached                                                            \
    }
#define VIRTIO_PCI_CLASS_MODERN(id, code)                                                          \
    {                                                                                              \
        .vendor_id = 0x1af4, .device_id = 0x1040 + (id), .subsystem_vendor_id = 0x1af4,            \
        .subsystem_id = 0x1100, .class_code = (code), .revision = 1, .interrupt_pin = 1,           \
        .config_read = virtio_pci_config_read, .config_written = virtio_pci_config_written,        \
        .detached = virtio_pci_detached                                                            \
    }

uint32_t virtio_pci_config_read(PciDevice *dev, uint32_t addr, unsigned size, uint32_t value);
void virtio_pci_config_written(PciDevice *dev, uint32_t addr, unsigned size);
void virtio_pci_detached(PciDevice *dev);

/*
 * The two halves of a device's realize: begin() before it adds its queues, which decides on the
 * interfaces and offers the features; end() maps BARs and capabilities.
 */
bool virtio_pci_begin(VirtioPci *vpci, const VirtioOps *ops, GError **err);
bool virtio_pci_end(VirtioPci *vpci, GError **err);
void virtio_pci_reset(VirtioPci *vpci);

static inline VirtioPci *virtio_pci_of(VirtioDevice *vdev)
{
    return (VirtioPci *)((char *)vdev - offsetof(VirtioPci, vdev));
}

/* First row of the device's own state table: STATE_FIELD_STRUCT(Foo, vpci,
 * &virtio_pci_state_table). */
extern const StateTable virtio_pci_state_table;

#endif
