#include "base/isa.h"

#include <cstdlib>
#include <string_view>

#include "base/check.h"

namespace fathom {
namespace {

bool cpu_has_avx512() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni") &&
           __builtin_cpu_supports("avx512bf16");
}

Isa choose() {
    const char* asked = std::getenv("FATHOM_ISA");
    if (asked == nullptr) return cpu_has_avx512() ? Isa::avx512 : Isa::avx2;
    const std::string_view name = asked;
    CHECK(name == "avx2" || name == "avx512", "FATHOM_ISA=", name, ": expected avx2 or avx512");
    CHECK(name == "avx2" || cpu_has_avx512(), "FATHOM_ISA=avx512, which this CPU lacks");
    return name == "avx2" ? Isa::avx2 : Isa::avx512;
}

}  // namespace

Isa isa() {
    static const Isa chosen = choose();
    return chosen;
}

const char* name_of(Isa isa) { return isa == Isa::avx512 ? "AVX-512 (BF16, VNNI, VBMI)" : "AVX2"; }

}  // namespace fathom
