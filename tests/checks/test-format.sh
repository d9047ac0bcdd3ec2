#!/bin/sh
# The sources are as clang-format (make format) leaves them.
# SPDX-License-Identifier: GPL-2.0-or-later

cd "${SRCDIR:?}" || exit 1
echo 1..1
if ! command -v clang-format >/dev/null; then
    echo 'ok 1 - sources are formatted # SKIP clang-format is not installed'
    exit
fi
# "*.inc.h" are bodies of tables and of assembly sources.
files=$(find util core block net ui tcg hw target-x86 migration accel monitor system tools tests \
    -name '*.[ch]' ! -name '*.inc.h' 2>/dev/null)
# Versions differ in small ways; .clang-format is written for 14 (Debian 12).
case $(clang-format --version) in
*' 14.'*) ;;
*)
    echo "ok 1 - sources are formatted # SKIP $(clang-format --version) is not version 14"
    exit
    ;;
esac
wrong=$(clang-format -n $files 2>&1 | sed -n "s/^\([^:]*\):[0-9]*:.*warning.*/# \1/p" | sort -u)
if [ -z "$wrong" ]; then
    echo 'ok 1 - sources are formatted'
else
    echo "$wrong"
    echo 'not ok 1 - sources are formatted'
fi
