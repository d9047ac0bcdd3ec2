/*
 * A small builder of AML, the byte code of ACPI tables (ACPI 6.4, chapter 20).
 *
 * Each function returns a new term; aml_append() puts a term into a container and frees it, and
 * every function that takes terms as arguments frees them, too. What remains is the root, whose
 * bytes aml_take() hands out. Names are ACPI paths as in ASL ("\\_SB.PCI0", "_CRS", "LNKA");
 * segments shorter than four characters are padded with '_'.
 *
 *     Aml *dev = aml_device("COM1");
 *     aml_append(dev, aml_name("_HID", aml_eisaid("PNP0501")));
 *     aml_append(scope, dev);
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_PC_AML_H
#define HW_PC_AML_H

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Aml Aml;

Aml *aml_root(void);
void aml_append(Aml *parent, Aml *child);
/* The bytes of a root; frees it. */
GByteArray *aml_take(Aml *root);

/* Containers */
Aml *aml_scope(const char *name);
Aml *aml_device(const char *name);
Aml *aml_method(const char *name, int args, bool serialized);
Aml *aml_package(uint8_t elements); /* append exactly so many */
Aml *aml_if(Aml *condition);
Aml *aml_else(void);
Aml *aml_field(const char *region, unsigned access); /* append aml_named_field() */

/* Objects */
Aml *aml_name(const char *name, Aml *value);
Aml *aml_int(uint64_t value);
Aml *aml_string(const char *text);
Aml *aml_eisaid(const char *id); /* "PNP0A03" */
Aml *aml_buffer(const void *data, size_t len);
Aml *aml_path(const char *name); /* a reference */
Aml *aml_local(int n);
Aml *aml_arg(int n);

enum { AML_SPACE_IO = 1, AML_SPACE_PCI_CONFIG = 2 };
enum { AML_ACCESS_BYTE = 1, AML_ACCESS_DWORD = 3 };
Aml *aml_op_region(const char *name, unsigned space, uint64_t offset, uint64_t len);
Aml *aml_named_field(const char *name, unsigned bits);

/* Statements and operators */
Aml *aml_return(Aml *value);
Aml *aml_store(Aml *value, Aml *target);
Aml *aml_and(Aml *a, Aml *b, Aml *target); /* TARGET NULL: value only */
Aml *aml_or(Aml *a, Aml *b, Aml *target);
Aml *aml_create_dword_field(Aml *buffer, uint64_t byte, const char *name);

/* Resource templates: append descriptors; the end tag comes by itself. */
Aml *aml_resources(void);
Aml *aml_res_io(uint16_t min, uint16_t max, uint8_t align, uint8_t len);
Aml *aml_res_irq(unsigned irq);     /* edge, active high, exclusive */
Aml *aml_res_dma(unsigned channel); /* bytes, compatible timing */
/* Level, active high, shared; for link devices. */
Aml *aml_res_fixed_memory(uint32_t base, uint32_t len);
Aml *aml_res_interrupt(const uint32_t *irqs, uint8_t count);
Aml *aml_res_bus(uint16_t min, uint16_t max);
Aml *aml_res_word_io(uint16_t min, uint16_t max);
Aml *aml_res_dword_memory(uint32_t min, uint32_t max, bool cacheable);
Aml *aml_res_qword_memory(uint64_t min, uint64_t max, bool cacheable);

#endif
