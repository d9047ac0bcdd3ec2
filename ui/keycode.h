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
#define KEYCODE_TABLE(X)                                                                           \
    X(SHIFT, "shift")                                                                              \
    X(SHIFT_R, "shift_r")                                                                          \
    X(ALT, "alt")                                                                                  \
    X(ALT_R, "alt_r")                                                                              \
    X(CTRL, "ctrl")                                                                                \
    X(CTRL_R, "ctrl_r")                                                                            \
    X(MENU, "menu")                                                                                \
    X(ESC, "esc")                                                                                  \
    X(1, "1")                                                                                      \
    X(2, "2")                                                                                      \
    X(3, "3")                                                                                      \
    X(4, "4")                                                                                      \
    X(5, "5")                                                                                      \
    X(6, "6")                                                                                      \
    X(7, "7")                                                                                      \
    X(8, "8")                                                                                      \
    X(9, "9")                                                                                      \
    X(0, "0")                                                                                      \
    X(MINUS, "minus")                                                                              \
    X(EQUAL, "equal")                                                                              \
    X(BACKSPACE, "backspace")                                                                      \
    X(TAB, "tab")                                                                                  \
    X(Q, "q")                                                                                      \
    X(W, "w")                                                                                      \
    X(E, "e")                                                                                      \
    X(R, "r")                                                                                      \
    X(T, "t")                                                                                      \
    X(Y, "y")                                                                                      \
    X(U, "u")                                                                                      \
    X(I, "i")                                                                                      \
    X(O, "o")                                                                                      \
    X(P, "p")                                                                                      \
    X(BRACKET_LEFT, "bracket_left")                                                                \
    X(BRACKET_RIGHT, "bracket_right")                                                              \
    X(RET, "ret")                                                                                  \
    X(A, "a")                                                                                      \
    X(S, "s")                                                                                      \
    X(D, "d")                                                                                      \
    X(F, "f")                                                                                      \
    X(G, "g")                                                                                      \
    X(H, "h")                                                                                      \
    X(J, "j")                                                                                      \
    X(K, "k")                                                                                      \
    X(L, "l")                                                                                      \
    X(SEMICOLON, "semicolon")                                                                      \
    X(APOSTROPHE, "apostrophe")                                                                    \
    X(GRAVE_ACCENT, "grave_accent")                                                                \
    X(BACKSLASH, "backslash")                                                                      \
    X(Z, "z")                                                                                      \
    X(X, "x")                                                                                      \
    X(C, "c")                                                                                      \
    X(V, "v")                                                                                      \
    X(B, "b")                                                                                      \
    X(N, "n")                                                                                      \
    X(M, "m")                                                                                      \
    X(COMMA, "comma")                                                                              \
    X(DOT, "dot")                                                                                  \
    X(SLASH, "slash")                                                                              \
    X(ASTERISK, "asterisk")                                                                        \
    X(SPC, "spc")                                                                                  \
    X(CAPS_LOCK, "caps_lock")                                                                      \
    X(F1, "f1")                                                                                    \
    X(F2, "f2")                                                                                    \
    X(F3, "f3")                                                                                    \
    X(F4, "f4")                                                                                    \
    X(F5, "f5")                                                                                    \
    X(F6, "f6")                                                                                    \
    X(F7, "f7")                                                                                    \
    X(F8, "f8")                                                                                    \
    X(F9, "f9")                                                                                    \
    X(F10, "f10")                                                                                  \
    X(F11, "f11")                                                                                  \
    X(F12, "f12")                                                                                  \
    X(NUM_LOCK, "num_lock")                                                                        \
    X(SCROLL_LOCK, "scroll_lock")                                                                  \
    X(KP_DIVIDE, "kp_divide")                                                                      \
    X(KP_MULTIPLY, "kp_multiply")                                                                  \
    X(KP_SUBTRACT, "kp_subtract")                                                                  \
    X(KP_ADD, "kp_add")                                                                            \
    X(KP_ENTER, "kp_enter")                                                                        \
    X(KP_DECIMAL, "kp_decimal")                                                                    \
    X(KP_COMMA, "kp_comma")                                                                        \
    X(KP_EQUALS, "kp_equals")                                                                      \
    X(KP_0, "kp_0")                                                                                \
    X(KP_1, "kp_1")                                                                                \
    X(KP_2, "kp_2")                                                                                \
    X(KP_3, "kp_3")                                                                                \
    X(KP_4, "kp_4")                                                                                \
    X(KP_5, "kp_5")                                                                                \
    X(KP_6, "kp_6")                                                                                \
    X(KP_7, "kp_7")                                                                                \
    X(KP_8, "kp_8")                                                                                \
    X(KP_9, "kp_9")                                                                                \
    X(LESS, "less")                                                                                \
    X(SYSRQ, "sysrq")                                                                              \
    X(PRINT, "print")                                                                              \
    X(PAUSE, "pause")                                                                              \
    X(HOME, "home")                                                                                \
    X(PGUP, "pgup")                                                                                \
    X(PGDN, "pgdn")                                                                                \
    X(END, "end")                                                                                  \
    X(LEFT, "left")                                                                                \
    X(UP, "up")                                                                                    \
    X(DOWN, "down")                                                                                \
    X(RIGHT, "right")                                                                              \
    X(INSERT, "insert")                                                                            \
    X(DELETE, "delete")                                                                            \
    X(META_L, "meta_l")                                                                            \
    X(META_R, "meta_r")                                                                            \
    X(COMPOSE, "compose")                                                                          \
    X(RO, "ro")                                                                                    \
    X(YEN, "yen")                                                                                  \
    X(HIRAGANA, "hiragana")                                                                        \
    X(KATAKANAHIRAGANA, "katakanahiragana")                                                        \
    X(HENKAN, "henkan")                                                                            \
    X(MUHENKAN, "muhenkan")                                                                        \
    X(POWER, "power")                                                                              \
    X(SLEEP, "sleep")                                                                              \
    X(WAKE, "wake")                                                                                \
    X(AUDIONEXT, "audionext")                                                                      \
    X(AUDIOPREV, "audioprev")                                                                      \
    X(AUDIOSTOP, "audiostop")                                                                      \
    X(AUDIOPLAY, "audioplay")                                                                      \
    X(AUDIOMUTE, "audiomute")                                                                      \
    X(VOLUMEUP, "volumeup")                                                                        \
    X(VOLUMEDOWN, "volumedown")                                                                    \
    X(MEDIASELECT, "mediaselect")                                                                  \
    X(MAIL, "mail")                                                                                \
    X(CALCULATOR, "calculator")                                                                    \
    X(COMPUTER, "computer")                                                                        \
    X(AC_HOME, "ac_home")                                                                          \
    X(AC_BACK, "ac_back")                                                                          \
    X(AC_FORWARD, "ac_forward")                                                                    \
    X(AC_REFRESH, "ac_refresh")                                                                    \
    X(AC_BOOKMARKS, "ac_bookmarks")

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
