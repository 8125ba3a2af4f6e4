#pragma once

#include "tensor/arena.h"
#include "tensor/tensor.h"
#include "tensor/workers.h"

namespace fathom {

enum class Device : uint8_t { cpu, cuda };

// Where and in which order work runs. Every op takes one first. On the CPU ops run in the caller,
// with the help of `workers`, and are done when they return; temporaries of an op come from `arena`
// and are given back before it returns.
struct Stream {
    Device device = Device::cpu;
    int ordinal = 0;
    void* handle = nullptr;  // cudaStream_t on Device::cuda.
    Workers* workers = nullptr;
    Arena* arena = nullptr;
};

}  // namespace fathom
