# mdf_flags: how every file of the project is compiled. Warnings find real bugs in float code;
# no -ffast-math (it removes NaN checks) and no -march=native (the binary must run elsewhere).
add_library(mdf_flags INTERFACE)
target_compile_definitions(mdf_flags INTERFACE _POSIX_C_SOURCE=200809L _DEFAULT_SOURCE)
target_compile_options(mdf_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wdouble-promotion -Wcast-qual
  -Wpointer-arith -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wstrict-prototypes
  -Wmissing-prototypes -Wold-style-definition -Wswitch-enum -Wimplicit-fallthrough -fno-common
  -fno-math-errno -ffp-contract=off -fno-omit-frame-pointer)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  target_compile_options(mdf_flags INTERFACE -Wlogical-op -Wduplicated-cond -Wduplicated-branches)
endif()
if(CMAKE_C_COMPILER_ID MATCHES "Clang") # constants are anonymous enums here
  target_compile_options(mdf_flags INTERFACE -Wno-enum-float-conversion)
endif()
if(MDF_WERROR)
  target_compile_options(mdf_flags INTERFACE -Werror)
endif()
if(MDF_SANITIZE)
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU") # the added checks hide from gcc that a variable is set
    target_compile_options(mdf_flags INTERFACE -Wno-maybe-uninitialized)
  else() # and keep clang from vectorising what "omp simd" asks for
    target_compile_options(mdf_flags INTERFACE -Wno-pass-failed)
  endif()
  target_compile_options(mdf_flags INTERFACE -fsanitize=${MDF_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(mdf_flags INTERFACE -fsanitize=${MDF_SANITIZE})
  target_compile_definitions(mdf_flags INTERFACE MDF_SANITIZED) # for code that is to stay small then
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(mdf_flags INTERFACE -fstack-protector-strong)
  target_compile_definitions(mdf_flags INTERFACE _FORTIFY_SOURCE=2)
  target_link_options(mdf_flags INTERFACE LINKER:-z,relro,-z,now)
endif()
