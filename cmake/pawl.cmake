# What every room shares: the language level, the warnings, the hardening, and the one way to declare
# a room, a program and a test.

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# Assertions stay on in every build, so no configuration may add NDEBUG.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g1 -fstack-protector-strong -D_FORTIFY_SOURCE=2")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
# A step crosses many rooms.
include(CheckIPOSupported)
check_ipo_supported(RESULT HAS_IPO OUTPUT IPO_DETAIL LANGUAGES C)
set(CMAKE_INTERPROCEDURAL_OPTIMIZATION_RELEASE ${HAS_IPO})

set(PAWL_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize takes them: address,undefined or thread")
option(PAWL_FUZZ "Build the fuzz targets with libFuzzer (needs clang)" OFF)
option(PAWL_MUTANTS "Compile the run-time mutants in; test builds only" OFF)

add_compile_definitions(_GNU_SOURCE)
add_compile_options(-Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wstrict-prototypes
                    -Wmissing-prototypes -Wcast-qual -Wformat=2 -Wundef -Wvla -Wwrite-strings
                    -Wswitch-enum -Wno-sign-conversion -fno-common)
if(PAWL_SANITIZE)
  add_compile_options(-fsanitize=${PAWL_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PAWL_SANITIZE})
endif()
if(PAWL_MUTANTS)
  add_compile_definitions(PAWL_MUTANTS=1)
endif()

# pawl_room(NAME SOURCES ... ROOMS ... LIBRARIES ...): one static library per room. Headers are named
# from the top of the tree ("proto/bytes.h"), so an include says which room it enters.
function(pawl_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;ROOMS;LIBRARIES" ${ARGN})
  add_library(pawl_${name} STATIC ${ROOM_SOURCES})
  target_include_directories(pawl_${name} PUBLIC ${PROJECT_SOURCE_DIR})
  list(TRANSFORM ROOM_ROOMS PREPEND pawl_)
  target_link_libraries(pawl_${name} PUBLIC ${ROOM_ROOMS} PRIVATE ${ROOM_LIBRARIES})
  if(PAWL_FUZZ)
    target_compile_options(pawl_${name} PRIVATE -fsanitize=fuzzer-no-link)
  endif()
endfunction()

# pawl_test(NAME SOURCES ... ROOMS ... LIBRARIES ...): one cmocka program, one ctest.
function(pawl_test name)
  cmake_parse_arguments(TEST "" "TIMEOUT" "SOURCES;ROOMS;LIBRARIES;ARGS" ${ARGN})
  add_executable(${name} ${TEST_SOURCES})
  list(TRANSFORM TEST_ROOMS PREPEND pawl_)
  target_link_libraries(${name} PRIVATE ${TEST_ROOMS} ${TEST_LIBRARIES} cmocka)
  add_test(NAME ${name} COMMAND ${name} ${TEST_ARGS} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  if(TEST_TIMEOUT)
    set_tests_properties(${name} PROPERTIES TIMEOUT ${TEST_TIMEOUT})
  endif()
endfunction()

# pawl_fuzz(NAME SOURCES ... ROOMS ...): a libFuzzer program in fuzz builds, nothing otherwise.
function(pawl_fuzz name)
  cmake_parse_arguments(FUZZ "" "" "SOURCES;ROOMS" ${ARGN})
  if(PAWL_FUZZ)
    add_executable(${name} ${FUZZ_SOURCES})
    list(TRANSFORM FUZZ_ROOMS PREPEND pawl_)
    target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(${name} PRIVATE ${FUZZ_ROOMS})
    if(NOT TARGET fuzz_targets)
      add_custom_target(fuzz_targets)
    endif()
    add_dependencies(fuzz_targets ${name})
  endif()
endfunction()
