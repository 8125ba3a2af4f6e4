# Files that are compiled into the program.

# fathom_embed(OUTPUT.cc HEADER FUNCTION PATH [FUNCTION PATH]...): writes OUTPUT.cc into the build
# folder, with `std::string_view FUNCTION()` for each; HEADER declares them in namespace fathom.
function(fathom_embed output header)
    set(embedded "#include \"${header}\"\n\nnamespace fathom {\n")
    while(ARGN)
        list(POP_FRONT ARGN function path)
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${path})
        file(READ ${path} bytes HEX)
        string(REGEX REPLACE "([0-9a-f][0-9a-f])" "\\\\x\\1" bytes "${bytes}")
        # Cut into short literals: a compiler need not take long ones.
        set(byte "\\\\x[0-9a-f][0-9a-f]")
        string(REGEX REPLACE "(${byte}${byte}${byte}${byte})" "\\1\"\n\"" bytes "${bytes}")
        string(APPEND embedded "std::string_view ${function}() {\n"
            "    static constexpr char kText[] = \"${bytes}\";\n"
            "    return {kText, sizeof kText - 1};\n}\n")
    endwhile()
    string(APPEND embedded "}  // namespace fathom\n")
    file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/${output} CONTENT "${embedded}")
endfunction()
