#pragma once

#include <array>
#include <set>
#include <string>

#include "checkpoint/checkpoint.h"
#include "checkpoint/names.h"
#include "config/args.h"

namespace fathom {

// Sums over some tensors of a checkpoint.
struct InventoryRow {
    int64_t tensors = 0;
    int64_t bytes = 0;
    std::set<std::string> formats;  // Kinds of the linears, dtypes of the rest.
    void add(int64_t count, int64_t size) {
        tensors += count;
        bytes += size;
    }
};

// What a checkpoint holds. Every stored tensor is counted in exactly one row; the MTP layer's in
// `mtp` alone, and scales and other pieces of quantized weights in `scales`.
struct Inventory {
    std::array<InventoryRow, kParts> parts;  // By Part, without the MTP layer.
    InventoryRow mtp, scales, other, total;
    // What computing one token reads of the main model: one row of the embedding, the experts that
    // it chooses, and all else, with scales.
    int64_t active_bytes = 0;

    const InventoryRow& operator[](Part part) const { return parts[static_cast<int>(part)]; }
};

Inventory take_inventory(const Checkpoint& checkpoint, const ModelArgs& args);

}  // namespace fathom
