/* pawl version */
#include <stdio.h>

#include "client/cli/print.h"

enum exit_code version_show(const struct arguments *arguments)
{
    if (wants_json(arguments))
        printf("{\"version\":\"%s\"}\n", PAWL_VERSION);
    else
        printf("pawl %s\n", PAWL_VERSION);
    return EXIT_OK;
}
