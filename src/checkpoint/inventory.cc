#include "checkpoint/inventory.h"

#include <map>

namespace fathom {
namespace {

// The share of a tensor that one token reads.
double active_share(const ExpectedTensor& tensor, const ModelArgs& args) {
    if (tensor.mtp) return 0;
    if (tensor.part == Part::embedding) return 1.0 / args.vocab_size;
    if (tensor.part == Part::experts)
        return static_cast<double>(args.n_activated_experts) / args.n_routed_experts;
    return 1;
}

}  // namespace

Inventory take_inventory(const Checkpoint& checkpoint, const ModelArgs& args) {
    const std::vector<ExpectedTensor> expected = expected_tensors(args);
    std::map<std::string, const ExpectedTensor*, std::less<>> by_name, by_module;
    for (const ExpectedTensor& tensor : expected) {
        by_name[tensor.name] = &tensor;
        if (tensor.store == Store::linear) by_module[std::string(module_of(tensor.name))] = &tensor;
    }
    Inventory out;
    double active = 0;
    for (const auto& [name, stored] : checkpoint.tensors()) {
        const int64_t bytes = std::ssize(stored->data);
        out.total.add(1, bytes);
        const auto it = by_name.find(name);
        const auto owner = by_module.find(name.substr(0, name.rfind('.')));
        const bool scale = it == by_name.end() && owner != by_module.end();
        if (it == by_name.end() && !scale) {
            out.other.add(1, bytes);
            continue;
        }
        const ExpectedTensor& tensor = scale ? *owner->second : *it->second;
        active += static_cast<double>(bytes) * active_share(tensor, args);
        InventoryRow& row = tensor.mtp ? out.mtp
                            : scale    ? out.scales
                                       : out.parts[static_cast<int>(tensor.part)];
        row.add(1, bytes);
        if (scale) continue;
        std::string format = name_of(stored->dtype);
        if (tensor.store == Store::linear)
            if (auto linear = checkpoint.linear(module_of(name)); linear.ok())
                format = name_of(linear.value().kind);
        row.formats.insert(format);
    }
    out.active_bytes = static_cast<int64_t>(active);
    return out;
}

}  // namespace fathom
