# The house rules as CMake: layers that look down only, ops found by name, tests beside sources.

# What each layer may use; fathom_layer() refuses the rest (docs/architecture.md).
set(FATHOM_MAY_USE_base)
set(FATHOM_MAY_USE_tensor base)
set(FATHOM_MAY_USE_config base)
set(FATHOM_MAY_USE_http base)
set(FATHOM_MAY_USE_text base)
set(FATHOM_MAY_USE_ops base tensor config)
set(FATHOM_MAY_USE_comm base tensor config)
set(FATHOM_MAY_USE_checkpoint base tensor config)
set(FATHOM_MAY_USE_kv base tensor config)
set(FATHOM_MAY_USE_model base tensor config ops comm checkpoint kv)
set(FATHOM_MAY_USE_engine base tensor config model kv comm)
set(FATHOM_MAY_USE_api base text)
set(FATHOM_MAY_USE_server base tensor config http text checkpoint kv model engine api)
set(FATHOM_MAY_USE_apps base tensor config http text checkpoint kv model engine api server)
# Stands beside the layers: for tests and benchmarks only.
set(FATHOM_MAY_USE_testing base tensor config ops comm checkpoint kv model)

# Whose tests run again with the older instruction set (make test), and whose under tsan: the
# layers that compute, and those that have threads. A test elsewhere may ask with LABELS.
set(FATHOM_LABELS_base threads)
set(FATHOM_LABELS_http threads)
set(FATHOM_LABELS_server threads)
set(FATHOM_LABELS_engine threads exact)
set(FATHOM_LABELS_tensor threads exact)
set(FATHOM_LABELS_ops exact)
set(FATHOM_LABELS_model exact)

# fathom_layer(NAME SOURCES a.cc b.cc USES layer...)
function(fathom_layer name)
    cmake_parse_arguments(ARG "" "" "SOURCES;USES" ${ARGN})
    add_library(fathom_${name} STATIC ${ARG_SOURCES})
    target_include_directories(fathom_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(fathom_${name} PUBLIC fathom_flags)
    foreach(used IN LISTS ARG_USES)
        if(NOT used IN_LIST FATHOM_MAY_USE_${name})
            message(FATAL_ERROR "layer ${name} may not use ${used}: see cmake/layers.cmake")
        endif()
        target_link_libraries(fathom_${name} PUBLIC fathom_${used})
    endforeach()
endfunction()

# fathom_test(x_test.cc USES layer... [LIBS target...] [LABELS exact|threads...]): one program that
# ctest runs, in the target `tests`, and in `tests_threads` too where it has that label.
function(fathom_test source)
    cmake_parse_arguments(ARG "" "" "USES;LIBS;LABELS" ${ARGN})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    # A third of the time of compiling a test is its optimization, which nobody waits for.
    target_compile_options(${name} PRIVATE $<$<CONFIG:Release>:-O1>)
    foreach(used IN LISTS ARG_USES)
        target_link_libraries(${name} PRIVATE fathom_${used})
    endforeach()
    target_link_libraries(${name} PRIVATE fathom_testing ${ARG_LIBS} GTest::gtest_main)
    target_compile_definitions(${name} PRIVATE FATHOM_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    add_test(NAME ${name} COMMAND ${name})
    file(RELATIVE_PATH layer ${PROJECT_SOURCE_DIR}/src ${CMAKE_CURRENT_SOURCE_DIR})
    string(REGEX REPLACE "/.*" "" layer "${layer}")
    set(labels ${ARG_LABELS} ${FATHOM_LABELS_${layer}})
    # A limit against hanging, not a measure of speed: sanitizers are ten times slower.
    set_tests_properties(${name} PROPERTIES LABELS "${labels}" TIMEOUT 600)
    set_property(GLOBAL APPEND PROPERTY FATHOM_TESTS ${name})
    if(threads IN_LIST labels)
        set_property(GLOBAL APPEND PROPERTY FATHOM_TESTS_THREADS ${name})
    endif()
endfunction()

# fathom_bench(x_bench.cc USES layer... [LIBS target...]): built by `make bench` only.
function(fathom_bench source)
    cmake_parse_arguments(ARG "" "" "USES;LIBS" ${ARGN})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} EXCLUDE_FROM_ALL ${source})
    foreach(used IN LISTS ARG_USES)
        target_link_libraries(${name} PRIVATE fathom_${used})
    endforeach()
    target_link_libraries(${name} PRIVATE fathom_testing ${ARG_LIBS} benchmark::benchmark_main)
    target_compile_definitions(${name} PRIVATE FATHOM_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    set_property(GLOBAL APPEND PROPERTY FATHOM_BENCHES ${name})
endfunction()

# fathom_fuzz(x_fuzz USES layer...): tests/fuzz/x_fuzz.cc with libFuzzer's main, in the fuzz preset
# only; its corpus is tests/fuzz/corpus/x. Run by scripts/fuzz.
function(fathom_fuzz name)
    if(NOT FATHOM_FUZZ)
        return()
    endif()
    cmake_parse_arguments(ARG "" "" "USES" ${ARGN})
    add_executable(${name} EXCLUDE_FROM_ALL ${PROJECT_SOURCE_DIR}/tests/fuzz/${name}.cc)
    foreach(used IN LISTS ARG_USES)
        target_link_libraries(${name} PRIVATE fathom_${used})
    endforeach()
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    target_compile_definitions(${name} PRIVATE FATHOM_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    set_property(GLOBAL APPEND PROPERTY FATHOM_FUZZERS ${name})
endfunction()

# An op is a folder of files with fixed names; a missing contract, dispatch, CPU side or test stops
# the build. x_avx512.cc (compiled for AVX-512, chosen at run time), x_cuda.cu and x_bench.cc are
# optional; without x_cuda.cu the op gets a stub that refuses by name.
function(fathom_op name)
    set(dir ${CMAKE_CURRENT_SOURCE_DIR}/${name})
    foreach(suffix IN ITEMS .h .cc _cpu.cc _test.cc)
        if(NOT EXISTS ${dir}/${name}${suffix})
            message(FATAL_ERROR "op ${name} lacks ${name}${suffix}")
        endif()
    endforeach()
    target_sources(fathom_ops PRIVATE ${dir}/${name}.cc ${dir}/${name}_cpu.cc)
    if(EXISTS ${dir}/${name}_avx512.cc)
        target_sources(fathom_ops PRIVATE ${dir}/${name}_avx512.cc)
        set_source_files_properties(${dir}/${name}_avx512.cc TARGET_DIRECTORY fathom_ops PROPERTIES
            COMPILE_OPTIONS "${FATHOM_AVX512_FLAGS}")
    endif()
    if(FATHOM_CUDA AND EXISTS ${dir}/${name}_cuda.cu)
        target_sources(fathom_ops PRIVATE ${dir}/${name}_cuda.cu)
    else()
        fathom_cuda_stub(${name})
    endif()
    fathom_test(${dir}/${name}_test.cc USES ops)
    if(EXISTS ${dir}/${name}_bench.cc)
        fathom_bench(${dir}/${name}_bench.cc USES ops)
    endif()
endfunction()

# Writes cuda::NAME from its declaration in NAME.h: same parameters, and a CHECK that refuses.
# Expects exactly `namespace cuda {` ... `}` around plain declarations in the header.
function(fathom_cuda_stub name)
    file(READ ${CMAKE_CURRENT_SOURCE_DIR}/${name}/${name}.h header)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
        ${CMAKE_CURRENT_SOURCE_DIR}/${name}/${name}.h)
    string(REGEX MATCH "namespace cuda {[^}]*}" body "${header}")
    if(body STREQUAL "")
        message(FATAL_ERROR "op ${name}: ${name}.h declares nothing in `namespace cuda { ... }`")
    endif()
    string(REGEX REPLACE "\\);" ") { CHECK(false, \"${name}: no CUDA kernel in this build\"); }"
        body "${body}")
    set(text "// Made by fathom_cuda_stub().\n#include \"ops/${name}/${name}.h\"\n")
    string(APPEND text "#pragma GCC diagnostic ignored \"-Wunused-parameter\"\n")
    string(APPEND text "namespace fathom {\n${body}\n}\n")
    set(stub ${CMAKE_CURRENT_BINARY_DIR}/${name}_no_cuda.cc)
    file(CONFIGURE OUTPUT ${stub} CONTENT "${text}" @ONLY)
    target_sources(fathom_ops PRIVATE ${stub})
endfunction()
