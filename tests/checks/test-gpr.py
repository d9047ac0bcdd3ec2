#!/usr/bin/env python3
"""Code that runs with the guest's vector registers live leaves them alone.

Files listed as GPR_FILES in gpr-files.mk are called from generated code on hot paths. For each of their
objects this checks the disassembly: no instruction names a vector, mask or x87 register, and every call
or jump that leaves the object goes to a symbol defined in another such object or in an assembly file of
accel/tcg (or named in GPR_CALLS_ALLOWED). Functions whose purpose is to handle x87 or SSE state are named in
GPR_STATE_ALLOWED. GPR_C_SIDE names functions that run behind exec_call_c(), which has saved that state: they
may call anything, and nothing here calls them directly. No symbol comes from outside of the program.
SPDX-License-Identifier: GPL-2.0-or-later
"""
import os
import re
import subprocess
import sys

ROOT = os.environ.get("SRCDIR") or os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = os.environ.get("BUILD") or os.path.join(ROOT, "build")

VECTOR = re.compile(r"%(?:[xyz]?mm\d+|st\b|k[0-7]\b)")
# x87 and MXCSR instructions without such an operand in the text.
STATEFUL = re.compile(r"^(?:f(?!s\b)[a-z0-9]+|v?(?:ld|st)mxcsr|x?save\w*|xrstor\w*|emms|wait)\b")
INSN = re.compile(r"^\s*[0-9a-f]+:\t(.*)$")
RELOC = re.compile(r"^\s*[0-9a-f]+: (R_X86_64_\w+)\s+(\S+?)(?:[-+]0x[0-9a-f]+)?$")
FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")


def variables():
    """NAME = words, with continuation lines, of gpr-files.mk."""
    path = os.path.join(ROOT, "gpr-files.mk")
    if not os.path.exists(path):
        return {}
    with open(path) as f:
        text = re.sub(r"#.*", "", f.read()).replace("\\\n", " ")
    found = {}
    for name, words in re.findall(r"^(\w+)\s*[:+]?=\s*(.*)$", text, re.M):
        found.setdefault(name, []).extend(words.split())
    return found


def tool(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def symbols(path):
    """({defined}, {undefined}) global names of an object."""
    defined, undefined = set(), set()
    for line in tool("nm", "-g", path).splitlines():
        kind, name = line.split()[-2:]
        (undefined if kind in "Uw" else defined).add(name)
    return defined, undefined


def object_of(source):
    return os.path.join(BUILD, "obj", source + ".o")


def objects_below(directory):
    for path, _, names in os.walk(directory):
        for name in names:
            if name.endswith(".o"):
                yield os.path.join(path, name)


def check_code(path, callable_from_here, may_touch_state, c_side):
    function = instruction = "?"
    lines = tool("objdump", "-dr", "--no-show-raw-insn", path).splitlines()
    for number, line in enumerate(lines):
        match = FUNCTION.match(line)
        if match:
            function = match.group(1)
            continue
        match = RELOC.match(line)
        if match:
            target = match.group(2)
            transfer = re.match(r"(?:call|j[a-z]+)\b", instruction)
            if (transfer and not target.startswith(".") and target not in callable_from_here
                    and function not in c_side):
                yield "%s: %s %s" % (function, instruction.split()[0], target)
            continue
        match = INSN.match(line)
        if match:
            instruction = match.group(1)
            direct = re.match(r"(?:call|jmp)\s+[0-9a-f]+ <(\w+)>", instruction)
            # What a relocation is still to fill in shows as the next address.
            if direct and direct.group(1) in c_side and not RELOC.match("".join(lines[number + 1:number + 2])):
                yield "%s: %s" % (function, instruction.strip())
            if function not in may_touch_state and (
                    VECTOR.search(instruction) or STATEFUL.match(instruction)):
                yield "%s: %s" % (function, instruction.strip())


def main():
    settings = variables()
    files = settings.get("GPR_FILES", [])
    if not files:
        print("1..0 # SKIP no file is listed in gpr-files.mk")
        return
    program = set()
    for path in objects_below(os.path.join(BUILD, "obj")):
        if os.sep + "tests" + os.sep not in path[len(BUILD):]:
            program |= symbols(path)[0]
    allowed = set(settings.get("GPR_CALLS_ALLOWED", []))
    may_touch_state = set(settings.get("GPR_STATE_ALLOWED", []))
    c_side = set(settings.get("GPR_C_SIDE", []))
    for source in files:
        if os.path.exists(object_of(source)):
            allowed |= symbols(object_of(source))[0]
    for path in objects_below(os.path.join(BUILD, "obj/accel/tcg")):
        if path.endswith(".S.o"):
            allowed |= symbols(path)[0]

    print("1..%d" % (2 * len(files)))
    for number, source in enumerate(files):
        path = object_of(source)
        wrong, foreign = ["not built"], []
        if os.path.exists(path):
            own, undefined = symbols(path)
            wrong = list(check_code(path, allowed | own | local_symbols(path), may_touch_state,
                                    c_side))
            foreign = sorted(undefined - program - {"_GLOBAL_OFFSET_TABLE_"})
        for text in wrong:
            print("# %s: %s" % (source, text))
        print("%sok %d - %s keeps to general registers and its own kind of calls"
              % ("not " if wrong else "", 2 * number + 1, source))
        for text in foreign:
            print("# %s: %s" % (source, text))
        print("%sok %d - %s needs no symbol of a library"
              % ("not " if foreign else "", 2 * number + 2, source))


def local_symbols(path):
    return {line.split()[-1] for line in tool("nm", path).splitlines() if line.split()[-2] in "tTrRdDbB"}


if __name__ == "__main__":
    sys.exit(main())
