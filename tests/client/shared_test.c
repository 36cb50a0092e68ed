/* The shared library alone: the public header is enough to compile, and nothing but the library to
 * link. */
#include <stdio.h>

#include "client/pawl.h"

int main(void)
{
    struct pawl *pawl;
    struct pawl_diag diag = {0};
    const struct pawl_options options = {
        .size = sizeof options, .nodes = "127.0.0.1:1", .timeout_ms = 50};
    if (pawl_open(&options, &pawl, &diag) != PAWL_OK) {
        fprintf(stderr, "%s\n", diag.text);
        return 1;
    }
    enum pawl_error error = pawl_status(pawl, NULL, &diag);
    pawl_close(pawl);
    fprintf(stderr, "%s: %s\n", pawl_error_name(error), diag.text);
    return error == PAWL_E_NO_LEADER ? 0 : 1;
}
