#include "server/api_keys.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

TEST(ApiKeys, WithoutKeysEverybodyMayCome) {
    const ApiKeys keys({});
    for (const char* header : {"", "Bearer ", "Bearer None", "Basic x"})
        EXPECT_TRUE(keys.admits("POST", "/v1/completions", header)) << header;
}

TEST(ApiKeys, OneOfTheKeysIsAskedForBelowV1) {
    const ApiKeys keys({"alpha", "b"});
    const auto admits = [&](std::string_view header) {
        return keys.admits("POST", "/v1/chat/completions", header);
    };
    EXPECT_TRUE(admits("Bearer alpha"));
    EXPECT_TRUE(admits("bearer b"));
    for (const char* header :
         {"", "Bearer", "Bearer ", "Bearer alph", "Bearer alphaa", "Bearer bb", "Bearer alphaalpha",
          "Bearer ALPHA", "alpha", "Basic alpha", "Bearer alpha ", "Bearer  alpha"})
        EXPECT_FALSE(admits(header)) << header;
    EXPECT_FALSE(keys.admits("GET", "/v1/models", ""));
    EXPECT_FALSE(keys.admits("HEAD", "/v1", ""));
    EXPECT_TRUE(keys.admits("OPTIONS", "/v1/chat/completions", ""));
    for (const char* path : {"/health", "/metrics", "/tokenize", "/v10", "/"})
        EXPECT_TRUE(keys.admits("POST", path, "")) << path;
}

}  // namespace
}  // namespace fathom
