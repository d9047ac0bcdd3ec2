/*
 * The CPU models by name.
 *
 * "max" is all that the accelerator offers, and the default. Under the translator it calls itself
 * an AMD processor of family 15, whatever the host is: guests then see the same CPU everywhere, and
 * apply no workaround for flaws (of speculation, mostly) that translated code does not have.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "target-x86/cpuid.h"

#define F_I686                                                                                     \
    "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 mmx fxsr sse sse2 "
#define F_X86_64  F_I686 "clflush pni syscall nx lm "
#define F_CORE2   F_X86_64 "ssse3 lahf-lm "
#define F_NEHALEM F_CORE2 "cx16 sse4.1 sse4.2 popcnt "
#define F_SANDY   F_NEHALEM "pclmulqdq aes xsave avx xsaveopt rdtscp x2apic tsc-deadline arat "
#define F_HASWELL                                                                                  \
    F_SANDY "f16c rdrand fsgsbase smep erms fma movbe pcid invpcid bmi1 bmi2 avx2 abm "
#define F_SKYLAKE F_HASWELL "rdseed adx smap 3dnowprefetch xsavec xgetbv1 "
#define F_ZEN                                                                                      \
    F_NEHALEM "pclmulqdq aes xsave avx xsaveopt xsavec xgetbv1 rdtscp arat f16c rdrand fma movbe " \
              "fsgsbase bmi1 avx2 smep bmi2 rdseed adx smap clflushopt sha-ni mmxext fxsr-opt "    \
              "pdpe1gb abm sse4a misalignsse 3dnowprefetch osvw cr8legacy topoext "

const char cpu_default_features[] = "hypervisor x2apic kvmclock kvm-nopiodelay kvmclock-stable-bit "
                                    "kvm-asyncpf kvm-steal-time kvm-pv-eoi";

/* clang-format off */
const CpuModelRow cpu_model_rows[] = {
    {.name = "max", .description = "Everything that the accelerator offers on this host (default)",
     .vendor = "AuthenticAMD", .model_id = "max", .family = 15, .model = 107, .stepping = 1},
    {.name = "host", .description = "Like max, with the host's vendor, family, model and stepping",
     .vendor = "AuthenticAMD", .model_id = "host", .host_identity = true},
    {.name = "base", .description = "No feature at all, to be built upon", .vendor = "AuthenticAMD",
     .family = 6, .model = 6, .stepping = 3, .features = "", .bare = true},

    {.name = "qemu64", .description = "QEMU Virtual CPU version 2.5+", .vendor = "AuthenticAMD",
     .family = 15, .model = 107, .stepping = 1, .level = 0xd, .xlevel = 0x8000000a,
     .features = F_X86_64 "cx16 lahf-lm"},
    {.name = "qemu32", .description = "QEMU Virtual CPU version 2.5+", .vendor = "GenuineIntel",
     .family = 6, .model = 6, .stepping = 3, .level = 4, .xlevel = 0x80000004,
     .features = "fpu de pse tsc msr pae mce cx8 apic sep pge cmov pat mmx fxsr sse sse2 pni"},
    {.name = "kvm64", .description = "Common KVM processor", .vendor = "GenuineIntel",
     .family = 15, .model = 6, .stepping = 1, .level = 0xd, .xlevel = 0x80000008,
     .features = F_X86_64 "cx16"},
    {.name = "kvm32", .description = "Common 32-bit KVM processor", .vendor = "GenuineIntel",
     .family = 15, .model = 6, .stepping = 1, .level = 5, .xlevel = 0x80000008,
     .features = F_I686 "clflush pni"},

    {.name = "486", .description = "Intel 80486", .vendor = "GenuineIntel",
     .family = 4, .model = 8, .stepping = 0, .level = 1, .features = "fpu vme pse"},
    {.name = "pentium", .description = "Intel Pentium", .vendor = "GenuineIntel",
     .family = 5, .model = 4, .stepping = 3, .level = 1,
     .features = "fpu vme de pse tsc msr mce cx8 apic mmx"},
    {.name = "pentium2", .description = "Intel Pentium II", .vendor = "GenuineIntel",
     .family = 6, .model = 5, .stepping = 2, .level = 2,
     .features = "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 mmx fxsr"},
    {.name = "pentium3", .description = "Intel Pentium III", .vendor = "GenuineIntel",
     .family = 6, .model = 7, .stepping = 3, .level = 3,
     .features = "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 mmx fxsr sse"},
    {.name = "athlon", .description = "AMD Athlon", .vendor = "AuthenticAMD",
     .model_id = "AMD Athlon(tm)", .family = 6, .model = 2, .stepping = 3, .level = 2,
     .xlevel = 0x80000008,
     .features = "fpu vme de pse tsc msr pae mce cx8 apic mtrr pge mca cmov pat pse36 mmx fxsr sse sse2 "
                 "mmxext"},
    {.name = "core2duo", .description = "Intel(R) Core(TM)2 Duo CPU     T7700  @ 2.40GHz",
     .vendor = "GenuineIntel", .family = 6, .model = 15, .stepping = 11, .level = 10,
     .xlevel = 0x80000008, .features = F_CORE2 "cx16"},
    {.name = "phenom", .description = "AMD Phenom(tm) 9550 Quad-Core Processor",
     .vendor = "AuthenticAMD", .family = 16, .model = 2, .stepping = 3, .level = 5,
     .xlevel = 0x8000001a,
     .features = F_X86_64 "cx16 popcnt mmxext fxsr-opt pdpe1gb rdtscp lahf-lm abm sse4a"},

    {.name = "Conroe", .description = "Intel Celeron_4x0 (Conroe/Merom Class Core 2)",
     .vendor = "GenuineIntel", .family = 6, .model = 15, .stepping = 3, .level = 10,
     .xlevel = 0x80000008, .features = F_CORE2},
    {.name = "Penryn", .description = "Intel Core 2 Duo P9xxx (Penryn Class Core 2)",
     .vendor = "GenuineIntel", .family = 6, .model = 23, .stepping = 3, .level = 10,
     .xlevel = 0x80000008, .features = F_CORE2 "cx16 sse4.1"},
    {.name = "Nehalem", .description = "Intel Core i7 9xx (Nehalem Class Core i7)",
     .vendor = "GenuineIntel", .family = 6, .model = 26, .stepping = 3, .level = 11,
     .xlevel = 0x80000008, .features = F_NEHALEM},
    {.name = "Westmere", .description = "Westmere E56xx/L56xx/X56xx (Nehalem-C)",
     .vendor = "GenuineIntel", .family = 6, .model = 44, .stepping = 1, .level = 11,
     .xlevel = 0x80000008, .features = F_NEHALEM "pclmulqdq aes arat"},
    {.name = "SandyBridge", .description = "Intel Xeon E312xx (Sandy Bridge)",
     .vendor = "GenuineIntel", .family = 6, .model = 42, .stepping = 1, .level = 0xd,
     .xlevel = 0x80000008, .features = F_SANDY},
    {.name = "IvyBridge", .description = "Intel Xeon E3-12xx v2 (Ivy Bridge)",
     .vendor = "GenuineIntel", .family = 6, .model = 58, .stepping = 9, .level = 0xd,
     .xlevel = 0x80000008, .features = F_SANDY "f16c rdrand fsgsbase smep erms"},
    {.name = "Haswell", .description = "Intel Core Processor (Haswell)",
     .vendor = "GenuineIntel", .family = 6, .model = 60, .stepping = 4, .level = 0xd,
     .xlevel = 0x80000008, .features = F_HASWELL},
    {.name = "Broadwell", .description = "Intel Core Processor (Broadwell)",
     .vendor = "GenuineIntel", .family = 6, .model = 61, .stepping = 2, .level = 0xd,
     .xlevel = 0x80000008, .features = F_HASWELL "rdseed adx smap 3dnowprefetch"},
    {.name = "Skylake-Client", .description = "Intel Core Processor (Skylake)",
     .vendor = "GenuineIntel", .family = 6, .model = 94, .stepping = 3, .level = 0xd,
     .xlevel = 0x80000008, .features = F_SKYLAKE},
    {.name = "Skylake-Server", .description = "Intel Xeon Processor (Skylake)",
     .vendor = "GenuineIntel", .family = 6, .model = 85, .stepping = 4, .level = 0xd,
     .xlevel = 0x80000008,
     .features = F_SKYLAKE "pdpe1gb clwb avx512f avx512dq avx512bw avx512cd avx512vl"},
    {.name = "Opteron_G1", .description = "AMD Opteron 240 (Gen 1 Class Opteron)",
     .vendor = "AuthenticAMD", .family = 15, .model = 6, .stepping = 1, .level = 5,
     .xlevel = 0x80000008, .features = F_X86_64},
    {.name = "Opteron_G2", .description = "AMD Opteron 22xx (Gen 2 Class Opteron)",
     .vendor = "AuthenticAMD", .family = 15, .model = 6, .stepping = 1, .level = 5,
     .xlevel = 0x80000008, .features = F_X86_64 "cx16 lahf-lm"},
    {.name = "Opteron_G3", .description = "AMD Opteron 23xx (Gen 3 Class Opteron)",
     .vendor = "AuthenticAMD", .family = 16, .model = 2, .stepping = 3, .level = 5,
     .xlevel = 0x80000008,
     .features = F_X86_64 "cx16 popcnt rdtscp lahf-lm abm sse4a misalignsse"},
    {.name = "EPYC", .description = "AMD EPYC Processor", .vendor = "AuthenticAMD",
     .family = 23, .model = 1, .stepping = 2, .level = 0xd, .xlevel = 0x8000001e,
     .features = F_ZEN},
    {.name = "EPYC-Rome", .description = "AMD EPYC-Rome Processor", .vendor = "AuthenticAMD",
     .family = 23, .model = 49, .stepping = 0, .level = 0xd, .xlevel = 0x8000001e,
     .features = F_ZEN "umip clwb rdpid clzero xsaveerptr wbnoinvd ibpb xsaves"},
    {0},
};
/* clang-format on */
