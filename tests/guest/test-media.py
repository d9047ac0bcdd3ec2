#!/usr/bin/env python3
# timeout: 420
"""SeaBIOS, the GRUB rescue CD and floppy disk, iPXE's ISO and memtest86+ run.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import media  # noqa: E402
from tap import Tap  # noqa: E402


def main():
    tap = Tap()
    tap.guest("SeaBIOS looks for a boot device and says that there is none", media.reaches_seabios,
              ["-m", "64"])
    tap.guest("the GRUB rescue CD reaches its prompt", media.reaches_grub_prompt,
              ["-m", "128", "-cdrom", media.GRUB_CD])
    tap.guest("the GRUB rescue floppy disk reaches its prompt", media.reaches_grub_prompt,
              ["-m", "128", "-drive", media.GRUB_FLOPPY])
    tap.guest("iPXE's ISO reaches its prompt", media.reaches_ipxe_prompt,
              ["-m", "128", "-cdrom", media.IPXE_CD])
    tap.guest("memtest86+ runs its first tests without errors", media.runs_memtest(),
              ["-m", "48", "-cdrom", media.MEMTEST_CD])
    tap.guest("memtest86+ boots by -kernel", media.runs_memtest(min_test=0),
              ["-m", "48", "-kernel", "/boot/memtest86+x64.bin"])
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
