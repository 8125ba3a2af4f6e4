#include "testing/recording.h"

#include "testing/compare.h"

namespace fathom::testing {

void Recording::see(const char* name, int layer, const Tensor& tensor) {
    CHECK(tensor.rank == 2, name, " is ", tensor);
    HostTensor copy = allocate(DType::f32, {tensor.shape[0], tensor.shape[1]});
    for (int64_t i = 0; i < count_of(tensor); ++i)
        set(copy, i, static_cast<float>(element(tensor, i)));
    seen_[{name, layer}].push_back(std::move(copy));
}

const std::vector<HostTensor>& Recording::parts(const std::string& name, int layer) const {
    const auto it = seen_.find({name, layer});
    CHECK(it != seen_.end(), "nothing recorded as ", name, " of layer ", layer);
    return it->second;
}

Tensor Recording::get(const std::string& name, int layer) const {
    const auto& all = parts(name, layer);
    CHECK(all.size() == 1, name, " of layer ", layer, " was seen ", all.size(), " times");
    return all[0];
}

}  // namespace fathom::testing
