#include "ops/linear/peer.h"

namespace fathom::testing {

std::function<void()> peer_product(PeerType, int64_t, int64_t, int64_t, int64_t, int) { return {}; }

}  // namespace fathom::testing
