#include "ops/linear/peer.h"

namespace fathom::testing {

double peer_seconds(PeerType, int64_t, int64_t, int64_t, int64_t, int) { return 0; }

}  // namespace fathom::testing
