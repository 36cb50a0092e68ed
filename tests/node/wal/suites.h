/* The properties of the log, each as a function that returns NULL or a sentence that says what is
 * wrong. The tests want NULL; the test of mutants wants, for each mutant, a sentence from one of
 * them.
 */
#ifndef PAWL_TESTS_NODE_WAL_SUITES_H
#define PAWL_TESTS_NODE_WAL_SUITES_H

#include <stdint.h>

/* A random trace of appends, syncs, rolls, truncations, cuts, preparations and reopens, with a
 * power cut at every call that changes the disk, and after each cut every subset of volatile things
 * that is named in suites.c: recover, check, go on. */
const char *suite_power_cuts(uint64_t seed, uint32_t steps);
/* A power cut that keeps the end of a group and loses its beginning, then as many bytes again as
 * were lost: what was kept must not follow them. Each record is one sector. */
const char *suite_aligned_power_cuts(uint64_t seed);
/* The trace of suite_power_cuts; after a power cut a second one at every call of the recovery. */
const char *suite_power_cuts_twice(uint64_t seed, uint32_t steps);
/* The process dies at every call, the disk goes on. */
const char *suite_kills(uint64_t seed, uint32_t steps);
/* One log over many lives. */
const char *suite_lives(uint64_t seed, uint32_t steps);
/* One bit flipped in every byte, and every length, of a small log. */
const char *suite_flips(uint64_t seed);
const char *suite_lengths(uint64_t seed);
const char *suite_lost_sectors(uint64_t seed);
const char *suite_lost_segments(uint64_t seed);
const char *suite_misplaced_sectors(uint64_t seed);
/* A power cut at every call of the recovery from damage. */
const char *suite_damage_then_power_cuts(uint64_t seed);
/* An error at every call of a trace, then a power cut: nothing synced is gone, and the log says IO
 * for good. */
const char *suite_errors(uint64_t seed, uint32_t steps);
/* No space at every write of a trace; and a disk of every small capacity. */
const char *suite_full_writes(uint64_t seed, uint32_t steps);
const char *suite_full_disk(uint64_t seed, uint32_t steps);
/* Segments that are used again and again. */
const char *suite_reuse(uint64_t seed);
/* The power cut between a group's write and its sync: a lost sector must not show what its segment
 * was before. */
const char *suite_reuse_power_cuts(uint64_t seed);

#endif
