/* The `pawl` command. */
#include <stdio.h>
#include <string.h>

#include "client/cli/command.h"
#include "client/cli/print.h"

int main(int count, char **texts)
{
    struct arguments arguments;
    struct pawl_diag diag = {0};
    if (count == 2 && strcmp(texts[1], "--version") == 0)
        texts[1] += 2; /* as every program has it */
    if (arguments_parse(count - 1, texts + 1, &arguments, &diag) != PAWL_OK) {
        (void)error_print(&arguments, PAWL_E_INVALID, diag.text, "pawl --help lists the commands");
        return EXIT_USAGE;
    }
    if (arguments.command == NULL || arguments.values[OPTION_HELP] != NULL) {
        help_print(&arguments);
        return arguments.values[OPTION_HELP] != NULL ? EXIT_OK : EXIT_USAGE;
    }
    enum exit_code code = arguments.command->run(&arguments);
    if (fflush(stdout) != 0 && code == EXIT_OK)
        code = EXIT_FAILED;
    return code;
}
