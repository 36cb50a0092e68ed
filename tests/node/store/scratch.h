/* A directory of its own for a test, gone afterwards. */
#ifndef PAWL_TESTS_STORE_SCRATCH_H
#define PAWL_TESTS_STORE_SCRATCH_H

struct scratch {
    char path[64];
};

void scratch_make(struct scratch *scratch);
/* With the files that are in it. */
void scratch_remove(struct scratch *scratch);
/* The path of a file in it; path_out takes 128 bytes. */
void scratch_file(const struct scratch *scratch, const char *name, char path_out[128]);

#endif
