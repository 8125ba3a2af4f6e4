#include "text/grammar.h"

namespace fathom {

struct GrammarCompiler::Impl {};

GrammarCompiler::GrammarCompiler(const Tokenizer&, std::vector<Token>, int64_t) {}
GrammarCompiler::~GrammarCompiler() = default;

Result<std::unique_ptr<TokenConstraint>> GrammarCompiler::compile(const GrammarSpec&,
                                                                  std::optional<Token>) {
    return Error{Code::invalid_argument, "structured output is not built yet; leave it out"};
}

}  // namespace fathom
