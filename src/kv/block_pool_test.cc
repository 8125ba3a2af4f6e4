#include "kv/block_pool.h"

#include <gtest/gtest.h>

namespace fathom {
namespace {

constexpr Hash128 kKey{1, 2};

TEST(BlockPool, TheLeastRecentlyReleasedIsTakenFirst) {
    BlockPool pool(3, 4, kKey);
    const BlockId a = pool.take(), b = pool.take(), c = pool.take();
    EXPECT_EQ(pool.num_free(), 0);
    EXPECT_DEATH(pool.take(), "no free block");
    const BlockId first[] = {b}, second[] = {a, c};
    pool.release(first);
    pool.release(second);  // Last block first: c before a.
    EXPECT_EQ(pool.take(), b);
    EXPECT_EQ(pool.take(), c);
    EXPECT_EQ(pool.take(), a);
    EXPECT_DEATH(pool.release(std::vector<BlockId>{a, a}), "released twice");
    pool.check_invariants();
}

TEST(BlockPool, APublishedPrefixIsFoundUntilItsBlockIsTaken) {
    BlockPool pool(2, 4, kKey);
    const std::vector<Token> tokens{1, 2, 3, 4};
    const PrefixHash prefix = pool.extend({}, tokens);
    EXPECT_EQ(pool.find(prefix), -1);
    const BlockId block = pool.take();
    pool.publish(block, prefix);
    EXPECT_EQ(pool.find(prefix), block);  // A second reference.
    pool.release(std::vector<BlockId>{block});
    EXPECT_EQ(pool.num_free(), 1);
    pool.release(std::vector<BlockId>{block});
    EXPECT_EQ(pool.find(prefix), block) << "free, and still findable";
    pool.release(std::vector<BlockId>{block});
    pool.take(), pool.take();
    EXPECT_EQ(pool.find(prefix), -1) << "taken for other tokens";
    pool.check_invariants();
}

TEST(BlockPool, ForgetFreeLosesPrefixesThatNobodyUses) {
    BlockPool pool(2, 4, kKey);
    const BlockId used = pool.take(), free = pool.take();
    const PrefixHash a = pool.extend({}, std::vector<Token>{1}),
                     b = pool.extend(a, std::vector<Token>{2});
    pool.publish(used, a);
    pool.publish(free, b);
    pool.release(std::vector<BlockId>{free});
    pool.forget_free();
    EXPECT_EQ(pool.find(b), -1);
    EXPECT_EQ(pool.find(a), used);
    pool.check_invariants();
}

TEST(BlockPool, PrefixesDependOnAllTokensAndTheKey) {
    BlockPool pool(1, 2, kKey), other(1, 2, {1, 3});
    const std::vector<Token> a{1, 2}, b{1, 3};
    EXPECT_NE(pool.extend({}, a), pool.extend({}, b));
    EXPECT_NE(pool.extend({}, a), other.extend({}, a));
    EXPECT_NE(pool.extend(pool.extend({}, a), b), pool.extend(pool.extend({}, b), b));
}

}  // namespace
}  // namespace fathom
