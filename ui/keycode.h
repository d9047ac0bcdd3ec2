/*
 * Key codes: one number and one name per key of a PC keyboard, by its position, not by its legend.
 *
 * The names are those of QMP's QKeyCode and of HMP's sendkey ("ctrl-alt-f1", "ret", "spc").
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef UI_KEYCODE_H
#define UI_KEYCODE_H

#include <glib.h>
#include <stddef.h>

/* KEYCODE_<symbol>, name */
#define KEYCODE_TABLE(KEY)                                                                         \
    KEY(SHIFT, "shift")                                                                            \
    KEY(SHIFT_R, "shift_r")                                                                        \
    KEY(ALT, "alt")                                                                                \
    KEY(ALT_R, "alt_r")                                                                            \
    KEY(CTRL, "ctrl")                                                                              \
    KEY(CTRL_R, "ctrl_r")                                                                          \
    KEY(MENU, "menu")                                                                              \
    KEY(ESC, "esc")                                                                                \
    KEY(1, "1")                                                                                    \
    KEY(2, "2")                                                                                    \
    KEY(3, "3")                                                                                    \
    KEY(4, "4")                                                                                    \
    KEY(5, "5")                                                                                    \
    KEY(6, "6")                                                                                    \
    KEY(7, "7")                                                                                    \
    KEY(8, "8")                                                                                    \
    KEY(9, "9")                                                                                    \
    KEY(0, "0")                                                                                    \
    KEY(MINUS, "minus")                                                                            \
    KEY(EQUAL, "equal")                                                                            \
    KEY(BACKSPACE, "backspace")                                                                    \
    KEY(TAB, "tab")                                                                                \
    KEY(Q, "q")                                                                                    \
    KEY(W, "w")                                                                                    \
    KEY(E, "e")                                                                                    \
    KEY(R, "r")                                                                                    \
    KEY(T, "t")                                                                                    \
    KEY(Y, "y")                                                                                    \
    KEY(U, "u")                                                                                    \
    KEY(I, "i")                                                                                    \
    KEY(O, "o")                                                                                    \
    KEY(P, "p")                                                                                    \
    KEY(BRACKET_LEFT, "bracket_left")                                                              \
    KEY(BRACKET_RIGHT, "bracket_right")                                                            \
    KEY(RET, "ret")                                                                                \
    KEY(A, "a")                                                                                    \
    KEY(S, "s")                                                                                    \
    KEY(D, "d")                                                                                    \
    KEY(F, "f")                                                                                    \
    KEY(G, "g")                                                                                    \
    KEY(H, "h")                                                                                    \
    KEY(J, "j")                                                                                    \
    KEY(K, "k")                                                                                    \
    KEY(L, "l")                                                                                    \
    KEY(SEMICOLON, "semicolon")                                                                    \
    KEY(APOSTROPHE, "apostrophe")                                                                  \
    KEY(GRAVE_ACCENT, "grave_accent")                                                              \
    KEY(BACKSLASH, "backslash")                                                                    \
    KEY(Z, "z")                                                                                    \
    KEY(X, "x")                                                                                    \
    KEY(C, "c")                                                                                    \
    KEY(V, "v")                                                                                    \
    KEY(B, "b")                                                                                    \
    KEY(N, "n")                                                                                    \
    KEY(M, "m")                                                                                    \
    KEY(COMMA, "comma")                                                                            \
    KEY(DOT, "dot")                                                                                \
    KEY(SLASH, "slash")                                                                            \
    KEY(ASTERISK, "asterisk")                                                                      \
    KEY(SPC, "spc")                                                                                \
    KEY(CAPS_LOCK, "caps_lock")                                                                    \
    KEY(F1, "f1")                                                                                  \
    KEY(F2, "f2")                                                                                  \
    KEY(F3, "f3")                                                                                  \
    KEY(F4, "f4")                                                                                  \
    KEY(F5, "f5")                                                                                  \
    KEY(F6, "f6")                                                                                  \
    KEY(F7, "f7")                                                                                  \
    KEY(F8, "f8")                                                                                  \
    KEY(F9, "f9")                                                                                  \
    KEY(F10, "f10")                                                                                \
    KEY(F11, "f11")                                                                                \
    KEY(F12, "f12")                                                                                \
    KEY(NUM_LOCK, "num_lock")                                                                      \
    KEY(SCROLL_LOCK, "scroll_lock")                                                                \
    KEY(KP_DIVIDE, "kp_divide")                                                                    \
    KEY(KP_MULTIPLY, "kp_multiply")                                                                \
    KEY(KP_SUBTRACT, "kp_subtract")                                                                \
    KEY(KP_ADD, "kp_add")                                                                          \
    KEY(KP_ENTER, "kp_enter")                                                                      \
    KEY(KP_DECIMAL, "kp_decimal")                                                                  \
    KEY(KP_COMMA, "kp_comma")                                                                      \
    KEY(KP_EQUALS, "kp_equals")                                                                    \
    KEY(KP_0, "kp_0")                                                                              \
    KEY(KP_1, "kp_1")                                                                              \
    KEY(KP_2, "kp_2")                                                                              \
    KEY(KP_3, "kp_3")                                                                              \
    KEY(KP_4, "kp_4")                                                                              \
    KEY(KP_5, "kp_5")                                                                              \
    KEY(KP_6, "kp_6")                                                                              \
    KEY(KP_7, "kp_7")                                                                              \
    KEY(KP_8, "kp_8")                                                                              \
    KEY(KP_9, "kp_9")                                                                              \
    KEY(LESS, "less")                                                                              \
    KEY(SYSRQ, "sysrq")                                                                            \
    KEY(PRINT, "print")                                                                            \
    KEY(PAUSE, "pause")                                                                            \
    KEY(HOME, "home")                                                                              \
    KEY(PGUP, "pgup")                                                                              \
    KEY(PGDN, "pgdn")                                                                              \
    KEY(END, "end")                                                                                \
    KEY(LEFT, "left")                                                                              \
    KEY(UP, "up")                                                                                  \
    KEY(DOWN, "down")                                                                              \
    KEY(RIGHT, "right")                                                                            \
    KEY(INSERT, "insert")                                                                          \
    KEY(DELETE, "delete")                                                                          \
    KEY(META_L, "meta_l")                                                                          \
    KEY(META_R, "meta_r")                                                                          \
    KEY(COMPOSE, "compose")                                                                        \
    KEY(RO, "ro")                                                                                  \
    KEY(YEN, "yen")                                                                                \
    KEY(HIRAGANA, "hiragana")                                                                      \
    KEY(KATAKANAHIRAGANA, "katakanahiragana")                                                      \
    KEY(HENKAN, "henkan")                                                                          \
    KEY(MUHENKAN, "muhenkan")                                                                      \
    KEY(POWER, "power")                                                                            \
    KEY(SLEEP, "sleep")                                                                            \
    KEY(WAKE, "wake")                                                                              \
    KEY(AUDIONEXT, "audionext")                                                                    \
    KEY(AUDIOPREV, "audioprev")                                                                    \
    KEY(AUDIOSTOP, "audiostop")                                                                    \
    KEY(AUDIOPLAY, "audioplay")                                                                    \
    KEY(AUDIOMUTE, "audiomute")                                                                    \
    KEY(VOLUMEUP, "volumeup")                                                                      \
    KEY(VOLUMEDOWN, "volumedown")                                                                  \
    KEY(MEDIASELECT, "mediaselect")                                                                \
    KEY(MAIL, "mail")                                                                              \
    KEY(CALCULATOR, "calculator")                                                                  \
    KEY(COMPUTER, "computer")                                                                      \
    KEY(AC_HOME, "ac_home")                                                                        \
    KEY(AC_BACK, "ac_back")                                                                        \
    KEY(AC_FORWARD, "ac_forward")                                                                  \
    KEY(AC_REFRESH, "ac_refresh")                                                                  \
    KEY(AC_BOOKMARKS, "ac_bookmarks")

typedef enum KeyCode {
    KEYCODE_NONE, /* no key ("unmapped") */
#define KEYCODE_ENUM(symbol, name) KEYCODE_##symbol,
    KEYCODE_TABLE(KEYCODE_ENUM)
#undef KEYCODE_ENUM
        KEYCODE_COUNT,
} KeyCode;

/* The key called NAME; KEYCODE_NONE when there is none. */
KeyCode keycode_from_name(const char *name);
/* "ret", ...; "unmapped" for KEYCODE_NONE and numbers out of range. */
const char *keycode_name(KeyCode key);
/*
 * Parses sendkey's argument: names joined by '-' ("ctrl-alt-delete"); "<" is a synonym of "less".
 * Stores at most MAX keys in the order written. The number of keys; 0 with ERR naming the word that
 * is no key.
 */
size_t keycode_parse_chord(const char *text, KeyCode *keys, size_t max, GError **err);

#endif
