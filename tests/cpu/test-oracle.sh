#!/bin/sh
# timeout: 900
# The host's CPU and the translator agree on random instructions. TEST_SEED=N tries others.
# SPDX-License-Identifier: GPL-2.0-or-later

seed=${TEST_SEED:-1}
parts=10
[ -z "${TEST_QUICK-}" ] || parts=1

oracle()
{
    number=$1 count=$2 code=$3
    shift 3
    "${BUILD:?}/tests/cpu-oracle" --seed "$seed" --count "$count" "$@" 2>&1 |
        sed -e '/^1\.\.1$/d' -e "s/^\(\(not \)\?ok\) 1 - .*/\1 $number - $code agrees with the host's CPU/"
}

echo 1..2
oracle 1 $((parts * 40000)) '64-bit code'
oracle 2 $((parts * 10000)) '32-bit code' --code32
