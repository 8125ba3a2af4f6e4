#pragma once

#include <functional>
#include <memory>

#include "checkpoint/checkpoint.h"
#include "model/transformer.h"
#include "tensor/stream.h"

namespace fathom {

struct LoadOptions {
    bool mtp = false;  // With the MTP layer.
    // Told now and then how many of weight_bytes() are in place; on the calling thread.
    std::function<void(int64_t done, int64_t total)> progress;
};

// Bytes of the Buffer that load_transformer will make: the plan, known from the headers alone.
// REQUIRES: as load_transformer.
int64_t weight_bytes(const Checkpoint& checkpoint, const ModelArgs& args, bool mtp);

// Copies and packs every weight from the mapped files into one Buffer, in parallel, each byte once.
// REQUIRES: verify() found nothing wrong with the checkpoint (checkpoint/verify.h).
std::unique_ptr<Transformer> load_transformer(const Checkpoint& checkpoint, const ModelArgs& args,
                                              Stream& s, const LoadOptions& options);

}  // namespace fathom
