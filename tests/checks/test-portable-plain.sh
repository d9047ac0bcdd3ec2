#!/bin/sh
# The portable expansions of capsules need nothing of an x86 host: no assembly, no intrinsics, and no
# floating point of the host's (a compiler that may use general registers only refuses it).
# SPDX-License-Identifier: GPL-2.0-or-later

cd "${SRCDIR:?}" || exit 1
cc=$(sed -n 's/^CC = //p' build/config.mk)
flags=$(sed -n 's/^LIB_CFLAGS = //p' build/config.mk)

echo 1..2
if used=$(grep -nwE 'asm|__asm__|[a-z]+intrin\.h|__builtin_ia32[a-z0-9_]+' target-x86/portable/*.[ch]); then
    echo "$used" | sed 's/^/# /'
    printf 'not '
fi
echo 'ok 1 - portable expansions use no assembly and no intrinsics'

log=$(for file in target-x86/portable/*.c; do
    $cc -std=gnu11 -O0 -mgeneral-regs-only -I. -include build/config.h -D_GNU_SOURCE= $flags \
        -S -o /dev/null "$file" 2>&1
done)
if [ -n "$log" ]; then
    echo "$log" | sed 's/^/# /'
    printf 'not '
fi
echo "ok 2 - portable expansions use no floating point of the host's"
