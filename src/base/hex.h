#pragma once

#include <cstdint>
#include <string>

namespace fathom {

// In hexadecimal digits, small letters, no zeros in front.
inline std::string hex(uint64_t value) {
    std::string digits;
    do {
        digits.insert(digits.begin(), "0123456789abcdef"[value & 15]);
        value >>= 4;
    } while (value != 0);
    return digits;
}

}  // namespace fathom
