/* Help, drawn from the tables. */
#include <stdio.h>
#include <string.h>

#include "client/cli/command.h"

static void option_print(size_t option)
{
    const struct option_row *row = &option_rows[option];
    char name[64];
    snprintf(name, sizeof name, "%c%c%s--%s%s%s", row->letter != 0 ? '-' : ' ',
             row->letter != 0 ? row->letter : ' ', row->letter != 0 ? ", " : "  ", row->name,
             row->value != NULL ? " " : "", row->value != NULL ? row->value : "");
    printf("  %-46s %s\n", name, row->help);
}

static void options_print(const char *title, uint64_t options)
{
    if (options == 0)
        return;
    printf("\n%s\n", title);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (options & TAKES(i))
            option_print(i);
}

static void command_print(const struct command *command)
{
    char name[96];
    snprintf(name, sizeof name, "%s%s%s %s", command->noun, command->verb != NULL ? " " : "",
             command->verb != NULL ? command->verb : "", command->arguments);
    printf("  %-46s %s\n", name, command->help);
}

static void command_help(const struct command *command)
{
    printf("usage: pawl %s%s%s %s\n\n%s\n\nexample\n  %s\n", command->noun,
           command->verb != NULL ? " " : "", command->verb != NULL ? command->verb : "",
           command->arguments, command->help, command->example);
    options_print("options", command->options);
    options_print("everywhere", OPTIONS_GLOBAL);
}

void help_print(const struct arguments *arguments)
{
    if (arguments->command != NULL) {
        command_help(arguments->command);
        return;
    }
    printf("usage: pawl COMMAND [options]\n\ncommands\n");
    for (const struct command *at = commands; at->noun != NULL; at++)
        if (arguments->noun == NULL || strcmp(arguments->noun, at->noun) == 0)
            command_print(at);
    options_print("everywhere", OPTIONS_GLOBAL);
    printf(
        "\nexit codes\n  0 ok, 1 failure, 2 usage, 3 not found, 4 conflict, 5 unavailable or timed "
        "out (retry may help),\n  6 denied, 7 the awaited workflow failed\n");
}
