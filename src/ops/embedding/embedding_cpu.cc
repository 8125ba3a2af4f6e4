#include "ops/embedding/embedding.h"
#include "ops/rows.h"
#include "ops/vec8.h"

namespace fathom {
namespace {

template <class T>
void run(Stream& s, Tensor y, Tensor tokens, Tensor table) {
    const int64_t D = y.dim(1), V = table.dim(0);
    for_rows(s, y.dim(0), D, [&](int64_t t) {
        const int32_t token = tokens.as<int32_t>()[t];
        CHECK(-1 <= token && token < V, "token ", token, " of ", V, " in row ", t);
        T* out = row<T>(y, t);
        if (token < 0) {
            std::memset(out, 0, D * sizeof(T));
            return;
        }
        const bf16* in = row<bf16>(table, token);
        vec8::for_each(
            D, [&](int64_t d, int64_t n) { vec8::store(out + d, vec8::load(in + d, n), n); });
    });
}

}  // namespace

void cpu::embedding(Stream& s, Tensor y, Tensor tokens, Tensor table) {
    y.dtype == DType::bf16 ? run<bf16>(s, y, tokens, table) : run<float>(s, y, tokens, table);
}

}  // namespace fathom
