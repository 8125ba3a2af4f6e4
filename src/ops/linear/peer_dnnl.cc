#include <omp.h>

#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "ops/linear/peer.h"

namespace fathom::testing {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;
using Type = memory::data_type;

memory filled(const memory::desc& desc, const dnnl::engine& engine, int byte) {
    memory m(desc, engine);
    std::memset(m.get_data_handle(), byte, desc.get_size());
    return m;
}

struct Product {
    dnnl::engine engine{dnnl::engine::kind::cpu, 0};
    dnnl::stream stream{engine};
    dnnl::matmul product;
    memory x, y;
    std::vector<memory> weights;
    size_t next = 0;
};

}  // namespace

std::function<void()> peer_product(PeerType type, int64_t M, int64_t N, int64_t K, int64_t copies,
                                   int threads) {
    omp_set_num_threads(threads);
    const bool real = type == PeerType::bf16;
    const memory::desc x({M, K}, real ? Type::bf16 : Type::u8, Tag::ab);
    const memory::desc w({K, N}, real ? Type::bf16 : Type::s8, Tag::any);
    const memory::desc y({M, N}, real ? Type::bf16 : Type::s32, Tag::ab);
    Product p;
    const dnnl::matmul::primitive_desc plan(dnnl::matmul::desc(x, w, y), p.engine);
    p.product = dnnl::matmul(plan);
    // Of bytes that are small numbers in both types, as speed must not come from zeros.
    p.x = filled(x, p.engine, 0x3c);
    p.y = filled(y, p.engine, 0);
    for (int64_t i = 0; i < copies; ++i)
        p.weights.push_back(filled(plan.weights_desc(), p.engine, 0x3b));
    return [p]() mutable {
        const memory& weight = p.weights[p.next++ % p.weights.size()];
        p.product.execute(p.stream,
                          {{DNNL_ARG_SRC, p.x}, {DNNL_ARG_WEIGHTS, weight}, {DNNL_ARG_DST, p.y}});
        p.stream.wait();
    };
}

}  // namespace fathom::testing
