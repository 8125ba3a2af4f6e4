#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/forward.h"
#include "testing/random.h"

namespace fathom::testing {

// Keeps what a forward pass shows, as f32, by name and layer. Tensors shown in parts (index_logits)
// are kept part by part.
class Recording : public Probe {
public:
    void see(const char* name, int layer, const Tensor& tensor) override;

    // CHECKs that it was seen exactly once.
    Tensor get(const std::string& name, int layer) const;
    const std::vector<HostTensor>& parts(const std::string& name, int layer) const;
    bool has(const std::string& name, int layer) const { return seen_.contains({name, layer}); }

private:
    std::map<std::pair<std::string, int>, std::vector<HostTensor>> seen_;
};

}  // namespace fathom::testing
