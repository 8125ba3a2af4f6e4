#include <omp.h>

#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "ops/linear/peer.h"
#include "testing/roof.h"

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

}  // namespace

double peer_seconds(PeerType type, int64_t M, int64_t N, int64_t K, int64_t copies, int threads) {
    omp_set_num_threads(threads);
    const bool real = type == PeerType::bf16;
    const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    dnnl::stream stream(engine);
    const memory::desc x({M, K}, real ? Type::bf16 : Type::u8, Tag::ab);
    const memory::desc w({K, N}, real ? Type::bf16 : Type::s8, Tag::any);
    const memory::desc y({M, N}, real ? Type::bf16 : Type::s32, Tag::ab);
    const dnnl::matmul::primitive_desc plan(dnnl::matmul::desc(x, w, y), engine);
    const dnnl::matmul product(plan);
    // Of bytes that are small numbers in both types, as speed must not come from zeros.
    memory in = filled(x, engine, 0x3c), out = filled(y, engine, 0);
    std::vector<memory> weights;
    for (int64_t i = 0; i < copies; ++i)
        weights.push_back(filled(plan.weights_desc(), engine, 0x3b));
    size_t next = 0;
    return best_seconds(
        [&] {
            const memory& weight = weights[next++ % weights.size()];
            product.execute(stream,
                            {{DNNL_ARG_SRC, in}, {DNNL_ARG_WEIGHTS, weight}, {DNNL_ARG_DST, out}});
            stream.wait();
        },
        clock_for(threads));
}

}  // namespace fathom::testing
