#!/bin/sh
# Every header compiles alone, twice included, and without warnings.
# SPDX-License-Identifier: GPL-2.0-or-later

cd "${SRCDIR:?}" || exit 1
cc=$(sed -n 's/^CC = //p' build/config.mk)
flags=$(sed -n 's/^LIB_CFLAGS = //p' build/config.mk)
warn='-Wall -Wextra -Werror -Wmissing-prototypes -Wstrict-prototypes -Wsign-compare'

headers=$(find util core block net ui tcg hw target-x86 migration accel monitor system tools tests \
    -name '*.h' 2>/dev/null | sort)
# "*.inc.h" are table bodies, meant to be included inside of something.
headers=$(echo "$headers" | grep -v '\.inc\.h$')

compile_one()
{
    printf '#include "%s"\n#include "%s"\n' "$1" "$1" |
        $cc -std=gnu11 $warn -Wno-unused-function -I. -include build/config.h -D_GNU_SOURCE= $flags \
            -fsyntax-only -x c -
}

echo "1..$(echo "$headers" | wc -l)"
number=0
for header in $headers; do
    number=$((number + 1))
    if log=$(compile_one "$header" 2>&1); then
        echo "ok $number - $header compiles alone"
    else
        echo "$log" | sed 's/^/# /'
        echo "not ok $number - $header compiles alone"
    fi
done
