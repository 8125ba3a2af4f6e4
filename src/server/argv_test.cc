#include "server/argv.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

using Words = std::vector<std::string>;

const FlagName kKnown[] = {
    {"max-num-seqs", FlagKind::value},           {"max-num-batched-tokens", FlagKind::value},
    {"enable-prefix-caching", FlagKind::toggle}, {"served-model-name", FlagKind::values},
    {"kv-transfer-config", FlagKind::json},      {"port", FlagKind::value}};

Words rewritten(const Words& words) {
    Result<Words> out = rewrite_argv(words, kKnown);
    EXPECT_TRUE(out.ok()) << out.error().message;
    return out.ok() ? std::move(out).value() : Words{};
}
std::string refused(const Words& words) {
    const Result<Words> out = rewrite_argv(words, kKnown);
    EXPECT_FALSE(out.ok());
    return out.ok() ? "" : out.error().message;
}

TEST(RewriteArgv, UnderscoresBeginningsAndEquals) {
    EXPECT_EQ(rewritten({"models/x_y", "--max_num_seqs", "4"}),
              (Words{"models/x_y", "--max-num-seqs", "4"}));
    EXPECT_EQ(rewritten({"--max-num-b=12", "--po", "80"}),
              (Words{"--max-num-batched-tokens", "12", "--port", "80"}));
}

TEST(RewriteArgv, TogglesHaveAPositiveAndANegativeForm) {
    EXPECT_EQ(rewritten({"--no-enable-prefix-caching"}), (Words{"--enable-prefix-caching=false"}));
    EXPECT_EQ(rewritten({"--no_enable_prefix_caching", "dir"}),
              (Words{"--enable-prefix-caching=false", "dir"}));
    EXPECT_EQ(rewritten({"--enable-prefix-caching=false"}),
              (Words{"--enable-prefix-caching=false"}));
    EXPECT_EQ(rewritten({"--enable-prefix-caching", "dir"}),
              (Words{"--enable-prefix-caching=true", "dir"}));
}

TEST(RewriteArgv, DottedKeysMergeIntoTheirJson) {
    EXPECT_EQ(
        rewritten({"--kv-transfer-config", R"({"kv_role":"kv_both","a":{"x":1}})",
                   "--kv-transfer-config.a.y", "2", "--kv_transfer_config.kv_port=30000",
                   "--kv-transfer-config.kv_connector", "M"}),
        (Words{"--kv-transfer-config",
               R"({"a":{"x":1,"y":2},"kv_connector":"M","kv_port":30000,"kv_role":"kv_both"})"}));
}

TEST(RewriteArgv, ListsTakeSeveralWords) {
    EXPECT_EQ(rewritten({"--served-model-name", "a", "b", "--port", "1"}),
              (Words{"--served-model-name", "a", "--served-model-name", "b", "--port", "1"}));
}

TEST(RewriteArgv, RefusalsNameTheNearestFlag) {
    EXPECT_EQ(refused({"--max-num-seq-s", "4"}),
              "unknown flag --max-num-seq-s; did you mean --max-num-seqs?");
    EXPECT_EQ(refused({"--prot", "4"}), "unknown flag --prot; did you mean --port?");
    EXPECT_EQ(refused({"--max-num", "4"}),
              "--max-num could be --max-num-seqs, --max-num-batched-tokens; write it out");
    EXPECT_EQ(refused({"--port"}), "--port needs a value");
    EXPECT_EQ(refused({"--port", "--max-num-seqs"}), "--port needs a value");
}

TEST(RewriteArgv, RefusalsOfJson) {
    EXPECT_EQ(
        refused({"--kv-transfer-config", "{kv_role:x}"}),
        "--kv-transfer-config: not JSON at byte 2 of {kv_role:x}; quote it for the shell, as in "
        "'{\"key\": 1}'");
    EXPECT_EQ(refused({"--kv-transfer-config", "3"}),
              "--kv-transfer-config: expected a JSON object, got 3");
    EXPECT_EQ(refused({"--port.x", "3"}), "--port.x: --port does not take JSON, so it has no keys");
    EXPECT_EQ(refused({"--kv-transfer-config.a", "3", "--kv-transfer-config.a.b", "3"}),
              "--kv-transfer-config.a.b contradicts an earlier value of its parent");
}

}  // namespace
}  // namespace fathom
