"""Reads the text on a screen dump (PPM of a VGA text mode), by the glyphs of the VGA BIOS's 8x16 font.

SPDX-License-Identifier: GPL-2.0-or-later
"""
import glob

# The letter A in the IBM VGA font: by it the font table is found inside of the VGA BIOS.
GLYPH_A = bytes([0, 0, 0x10, 0x38, 0x6c, 0xc6, 0xc6, 0xfe, 0xc6, 0xc6, 0xc6, 0xc6, 0, 0, 0, 0])
HEIGHT = 16


def load_font():
    """{glyph bytes: character} for printable ASCII."""
    for path in sorted(glob.glob("/usr/share/seabios/vgabios-*.bin")):
        with open(path, "rb") as f:
            data = f.read()
        start = data.find(GLYPH_A) - ord("A") * HEIGHT
        if start >= 0:
            return {data[start + c * HEIGHT:start + (c + 1) * HEIGHT]: chr(c)
                    for c in range(0x7e, 0x1f, -1)}
    raise RuntimeError("no VGA BIOS with an 8x16 font in /usr/share/seabios")


def read_ppm(path):
    """(width, height, bytes of RGB)"""
    with open(path, "rb") as f:
        data = f.read()
    words, position = [], 0
    while len(words) < 4:
        end = position
        while data[end:end + 1] not in (b" ", b"\n", b"\t"):
            end += 1
        word = data[position:end]
        if word.startswith(b"#"):
            end = data.index(b"\n", end)
        elif word:
            words.append(word)
        position = end + 1
    if words[0] != b"P6" or words[3] != b"255":
        raise RuntimeError("%s is not a PPM of 8 bits" % path)
    width, height = int(words[1]), int(words[2])
    pixels = data[position:]
    if len(pixels) != width * height * 3:
        raise RuntimeError("%s: %d bytes of pixels for %dx%d" % (path, len(pixels), width, height))
    return width, height, pixels


def text_of(path):
    """The lines of text on the screen; cells that are no character of the font become '?'."""
    font = load_font()
    width, height, pixels = read_ppm(path)
    cell = 9 if width % 720 == 0 else 8
    cache, lines = {}, []
    for row in range(height // HEIGHT):
        line = []
        for column in range(width // cell):
            rows = []
            for y in range(row * HEIGHT, (row + 1) * HEIGHT):
                at = (y * width + column * cell) * 3
                rows.append(pixels[at:at + 24])
            key = b"".join(rows)
            if key not in cache:
                cache[key] = glyph_of(rows, font)
            line.append(cache[key])
        lines.append("".join(line).rstrip())
    return lines


def glyph_of(rows, font):
    colours = {row[x:x + 3] for row in rows for x in range(0, 24, 3)}
    if len(colours) == 1:
        return " "
    if len(colours) != 2:
        return "?"
    for ink in colours:
        glyph = bytes(sum(0x80 >> x for x in range(8) if row[3 * x:3 * x + 3] == ink) for row in rows)
        if glyph in font:
            return font[glyph]
    return "?"
