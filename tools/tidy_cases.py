"""The self-test of tools/tidy: a small clean tree, and one breach of every rule planted in it.

A case is (rule, path, text, line): with that file written, tidy must report exactly that rule there
and nothing else. The near misses must not be reported at all.
"""
import pathlib
import sys
import tempfile

HEADER = "#pragma once\n\nnamespace fathom {}\n"


def body(lines):
    return "".join(f"    use({i});\n" for i in range(lines)) + "}\n"


MARK = "TO" + "DO"
OUTSIDE = "/wor" + "k/data"

CLEAN = {
    "cmake/layers.cmake": "set(FATHOM_MAY_USE_base)\nset(FATHOM_MAY_USE_text base)\n"
                          "set(FATHOM_MAY_USE_tensor base)\n"
                          "set(FATHOM_MAY_USE_ops base tensor)\nset(FATHOM_MAY_USE_model base\n"
                          "    tensor ops)\nset(FATHOM_MAY_USE_testing base tensor)\n",
    "src/base/check.h": HEADER,
    "src/base/CMakeLists.txt": "fathom_test(a_test.cc USES base)\n",
    "src/ops/CMakeLists.txt": "foreach(op IN ITEMS rms_norm)\n    fathom_op(${op})\nendforeach()\n",
    "src/ops/rms_norm/rms_norm.h": HEADER,
    "src/ops/rms_norm/rms_norm.cc": '#include "tensor/expect.h"\nvoid f() { expect("x"); }\n',
    "src/ops/rms_norm/rms_norm_test.cc": '#include "testing/compare.h"\n',
    "src/model/CMakeLists.txt": "fathom_test(mla_test.cc USES model)\n",
    "src/text/CMakeLists.txt": "foreach(n IN ITEMS bpe)\nfathom_test(${n}_test.cc)\nendforeach()\n",
    "src/model/mla_test.cc": "TEST(Mla, Works) { cpu::rms_norm(y, x); }\n",
}

CASES = [
    ("shared_ptr", "src/model/a.cc", "\nstd::shared_ptr<int> p;\n", 2),
    ("shared_ptr", "src/model/a.cc", "auto p = std::make_shared<int>(1);\n", 1),
    ("getenv", "src/model/a.cc", 'const char* v = std::getenv("X");\n', 1),
    ("ifdef", "src/model/a.cc", "int a;\n#ifdef X\n", 2),
    ("ifdef", "src/model/a.cc", "#if defined(X)\n", 1),
    ("ifdef", "src/model/a.h", "#pragma once\n  #  if X\n", 2),
    ("launch", "src/ops/rms_norm/rms_norm_cuda.cu", "void f() { k<<<1, 1>>>(); }\n", 1),
    ("throw", "src/model/a.cc", "void f() {\n    throw 1;\n}\n", 2),
    ("regex", "src/model/a.cc", "\n\nstd::regex r;\n", 3),
    ("regex", "src/model/a.cc", "#include <regex>\n", 1),
    ("print", "src/model/a.cc", 'void f() { std::printf("x"); }\n', 1),
    ("print", "src/model/a.cc", 'void f() { std::cout << "x"; }\n', 1),
    ("backend", "src/model/a.cc", "void f() { cpu::rms_norm(y, x); }\n", 1),
    ("unfinished", "src/model/a.cc", f"int a;  // {MARK}: later\n", 1),
    ("unfinished", "scripts/a", f"#!/bin/sh\n# {MARK}\n", 2),
    ("nolint", "src/model/a.cc", "int a;  // NOLINT\n", 1),
    ("nolint", "src/model/a.cc", "int a;  // NOLINT(bugprone-x)\n", 1),
    ("file", "src/model/a.cc", "int a;\n" * 501, 501),
    ("file", "src/ops/rms_norm/rms_norm_cuda.cu", "int a;\n" * 801, 801),
    ("function", "src/model/a.cc", "int b;\nvoid f() {\n" + body(69), 2),
    ("function", "src/model/a.cc", "A::A(int x)\n    : a_{x}, b_(x) {\n" + body(68), 1),
    ("function", "src/model/a.cc", "struct S {\npublic:\n  int f() {\n" + body(69) + "};\n", 3),
    ("function", "src/model/mla_test.cc", "TEST(Mla, Long) {\n" + body(69), 1),
    ("function", "src/ops/rms_norm/rms_norm_cuda.cu", "void f() {\n" + body(149), 1),
    ("columns", "src/model/a.cc", "int a;\n// " + "x" * 98 + "\n", 2),
    ("columns", "scripts/a", "#!/bin/sh\n# " + "x" * 99 + "\n", 2),
    ("size", "docs/picture.png", "x" * ((1 << 20) + 1), 1),
    ("size", "tests/golden/a.bin", "x" * ((8 << 20) + 1), 1),
    ("elsewhere", "README.md", f"See\n{OUTSIDE} for more.\n", 2),
    ("elsewhere", "docs/a.md", "as in `../shar" + "ed/design.md`\n", 1),
    ("adr", "docs/adr/0001-x.md", "x\n" * 41, 41),
    ("pragma", "src/model/a.h", "// Nothing.\n", 1),
    ("heavy", "src/model/a.h", "#pragma once\n#include <boost/asio.hpp>\n", 2),
    ("heavy", "src/model/a.h", "#pragma once\n#include <nlohmann/json.hpp>\n", 2),
    ("using", "src/model/a.h", "#pragma once\nusing namespace std;\n", 2),
    ("layer", "src/base/a.cc", '#include "base/check.h"\n#include "tensor/tensor.h"\n', 2),
    ("layer", "src/ops/rms_norm/a.h", '#pragma once\n#include "model/mla.h"\n', 2),
    ("layer", "src/model/a.cc", '#include "testing/compare.h"\n', 1),
    ("layer", "src/base/a_test.cc", '#include "testing/a.h"\n#include "tensor/tensor.h"\n', 2),
    ("layer", "src/ops/ops.cc", '#include "ops/op_testing.h"\n', 1),
    ("layer", "src/new/a.cc", "int a;\n", 1),
    ("layers", "docs/architecture.md", "| layer |\n| `ops` | x | base, tensor, model |\n", 2),
    ("layers", "docs/architecture.md", "| `nothing` | x | base |\n", 1),
    ("expect", "src/ops/rms_norm/rms_norm.cc", "// expect(x)\nvoid f() {}\n", 1),
    ("target", "src/model/lost_test.cc", "int a;\n", 1),
    ("target", "src/text/lost_test.cc", "int a;\n", 1),
    ("target", "src/ops/silu/silu_test.cc", "int a;\n", 1),
    ("target", "tests/fuzz/lost_fuzz.cc", "int a;\n", 1),
    ("exceptions", "tools/tidy_exceptions.txt", "# Why.\nthrow src/model/a.cc # gone\n", 2),
    ("exceptions", "tools/tidy_exceptions.txt", "throw src/model/a.cc\n", 1),
]

NEAR_MISSES = [
    ("src/text/bpe_test.cc", "int a;\n"),
    ("src/ops/op_testing.h", '#pragma once\n#include "testing/compare.h"\n'),
    ("src/ops/rms_norm/rms_norm_test.cc", '#include "ops/op_testing.h"\n'),
    ("tests/golden/a.bin", "x" * (8 << 20)),
    ("src/model/a.cc", '// throw, getenv, <<<, std::regex\nconst char* s = "throw getenv(";\n'),
    ("src/model/a.cc", "/* #ifdef\n#if X */ int thrown = 1'000'000;\n"),
    ("src/model/a.cc", 'const char* s = R"(throw "shared_ptr)";\n'),
    ("src/model/a.cc", "int a;  // NOLINT(bugprone-x): the size is checked above\n"),
    ("src/model/a.cc", "void f() { std::snprintf(b, 4, x); ops::rms_norm(s, y, x); }\n"),
    ("src/model/a.cc", "void f() {\n" + body(68) + "void g() {\n" + body(68)),
    ("src/model/a.cc", "namespace fathom {\nstruct S {\n" + body(90)[:-1] + ";\n}\n"),
    ("src/model/a.cc", '#include "ops/rms_norm/rms_norm.h"\n#include <vector>\n'),
    ("docs/architecture.md", "| `ops` | x | base, tensor |\n| `base` | y | |\n| `f` | z |\n"),
    ("src/base/a.cc", '#ifdef X\nconst char* v = std::getenv("X");\n#endif\n'),
    ("src/tensor/cuda_launch.cuh", "#pragma once\nvoid f() { k<<<1, 1>>>(); }\n"),
    ("src/ops/rms_norm/rms_norm_cuda.cu", "void f() {\n" + body(148)),
    ("src/model/a.cc", '// "é" ' + "é" * 93 + "\n"),
]

# With an exception: (exceptions, text of src/model/a.cc, rules that are still reported).
EXCUSED = [
    ("throw src/model/a.cc # a library wants it\n", "throw 1;\n", []),
    ("throw src/model/b.cc # a library wants it\n", "throw 1;\n", ["exceptions", "throw"]),
    ("function src/model/a.cc:f 71 # a table\n", "void f() {\n" + body(69), []),
    ("function src/model/a.cc:f 70 # a table\n", "void f() {\n" + body(69), ["function"]),
    ("function src/model/a.cc:f 72 # a table\n", "void f() {\n" + body(69), ["exceptions"]),
]


def reported(breaches_of, files):
    with tempfile.TemporaryDirectory() as folder:
        for path, text in {**CLEAN, **files}.items():
            file = pathlib.Path(folder) / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        found = breaches_of(pathlib.Path(folder))
        return [(rule, path, line) for rule, _, path, line, _, _ in found]


def run(breaches_of):
    failures = []

    def expect(what, got, want):
        if got != want:
            failures.append(f"{what}: reported {got}, expected {want}")

    expect("the clean tree", reported(breaches_of, {}), [])
    for rule, path, text, line in CASES:
        got = reported(breaches_of, {path: text})
        expect(f"{rule} in {path} ({text[:30]!r})", got, [(rule, path, line)])
    for path, text in NEAR_MISSES:
        expect(f"near miss in {path} ({text[:30]!r})", reported(breaches_of, {path: text}), [])
    for exceptions, text, rules in EXCUSED:
        got = reported(breaches_of,
                       {"tools/tidy_exceptions.txt": exceptions, "src/model/a.cc": text})
        expect(f"exception {exceptions!r}", sorted(rule for rule, _, _ in got), rules)
    for failure in failures:
        print(failure, file=sys.stderr)
    count = 1 + len(CASES) + len(NEAR_MISSES) + len(EXCUSED)
    print(f"tidy --self-test: {count - len(failures)} of {count} as expected")
    return 1 if failures else 0
