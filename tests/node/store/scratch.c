#include "tests/node/store/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

void scratch_make(struct scratch *scratch)
{
    snprintf(scratch->path, sizeof scratch->path, "/tmp/pawl-store-XXXXXX");
    assert_non_null(mkdtemp(scratch->path));
}

void scratch_file(const struct scratch *scratch, const char *name, char path_out[128])
{
    snprintf(path_out, 128, "%s/%s", scratch->path, name);
}

void scratch_remove(struct scratch *scratch)
{
    static const char *const names[] = {"data.mdb", "lock.mdb"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        scratch_file(scratch, names[i], path);
        unlink(path);
    }
    assert_int_equal(rmdir(scratch->path), 0);
}
