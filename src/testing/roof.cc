#include "testing/roof.h"

#include <immintrin.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "tensor/buffer.h"

namespace fathom::testing {
namespace {

constexpr int64_t kBytes = int64_t{512} << 20;
constexpr int64_t kPiece = int64_t{1} << 20;

double now(Clock clock) {
    timespec time{};
    ::clock_gettime(clock == Clock::cpu ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// One stream or four at once, as a product has four panels. Asking ahead made both slower.
template <int kStreams>
int64_t sum(const char* p, int64_t bytes) {
    __m256i lanes[4][2] = {};
    const int64_t part = bytes / kStreams;
    for (int64_t i = 0; i < part; i += 64)
        for (int s = 0; s < kStreams; ++s) {
            const char* line = p + s * part + i;
            for (int half = 0; half < 2; ++half)
                lanes[s][half] = _mm256_add_epi64(
                    lanes[s][half],
                    _mm256_load_si256(reinterpret_cast<const __m256i*>(line + 32 * half)));
        }
    int64_t total = 0;
    for (const auto& pair : lanes)
        for (const __m256i& lane : pair)
            total += _mm256_extract_epi64(lane, 0) + _mm256_extract_epi64(lane, 3);
    return total;
}

using Sum = int64_t (*)(const char*, int64_t);

double read_rate(Workers& workers, const Buffer& buffer, Sum sum) {
    std::atomic<int64_t> total{0};  // So that no read can be left out.
    const double seconds = best_seconds(
        [&] {
            workers.parallel_for(kBytes / kPiece, 1, [&](int64_t begin, int64_t end, int) {
                const char* p = static_cast<const char*>(buffer.data());
                for (int64_t i = begin; i < end; ++i) total += sum(p + i * kPiece, kPiece);
            });
        },
        clock_for(workers.threads()), 0.5);
    CHECK(total.load() != 0, "nothing was read");
    return static_cast<double>(kBytes) / seconds;
}

}  // namespace

double best_seconds(const std::function<void()>& f, Clock clock, double budget) {
    double best = 1e30;
    const double start = now(Clock::wall);
    for (int runs = 0; runs < 3 || now(Clock::wall) - start < budget; ++runs) {
        const double begin = now(clock);
        f();
        const double seconds = now(clock) - begin;
        if (runs > 0 && seconds < best) best = seconds;  // The first one warms up.
    }
    return best;
}

double read_bandwidth(Workers& workers) {
    const Buffer buffer = Buffer::host(kBytes);
    std::memset(buffer.data(), 1, kBytes);
    return std::max(read_rate(workers, buffer, sum<1>), read_rate(workers, buffer, sum<4>));
}

double copy_bandwidth(Workers& workers) {
    const Buffer from = Buffer::host(kBytes / 2), to = Buffer::host(kBytes / 2);
    std::memset(from.data(), 1, kBytes / 2);
    std::memset(to.data(), 2, kBytes / 2);
    const double seconds = best_seconds(
        [&] {
            workers.parallel_for(kBytes / 2 / kPiece, 1, [&](int64_t begin, int64_t end, int) {
                std::memcpy(static_cast<char*>(to.data()) + begin * kPiece,
                            static_cast<const char*>(from.data()) + begin * kPiece,
                            (end - begin) * kPiece);
            });
        },
        clock_for(workers.threads()), 1.0);
    return static_cast<double>(kBytes) / seconds;
}

}  // namespace fathom::testing
