#pragma once

namespace fathom {

// The instruction sets that the CPU ops are written for. avx512 stands for F, BW, DQ, VL, VBMI,
// VNNI and BF16 together (Zen 4, Sapphire Rapids and later); every x86-64-v3 CPU has the other.
enum class Isa { avx2, avx512 };

// The best one that this CPU has, unless the environment variable FATHOM_ISA (avx2 | avx512) asks
// for less; asking for more than the CPU has is a CHECK. Decided at the first call, then constant.
Isa isa();

const char* name_of(Isa isa);

}  // namespace fathom
