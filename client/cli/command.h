/* Commands: one table drives parsing, help, suggestions and tests. */
#ifndef PAWL_CLI_COMMAND_H
#define PAWL_CLI_COMMAND_H

#include "client/cli/arguments.h"

/* What a run of the command ends with. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NOT_FOUND = 3,
    EXIT_CONFLICT = 4,
    EXIT_UNAVAILABLE = 5,
    EXIT_DENIED = 6,
    EXIT_WORKFLOW_FAILED = 7,
};

struct command {
    const char *noun;
    const char *verb;      /* NULL: the noun is the whole command */
    const char *arguments; /* as help shows them */
    const char *help;      /* one line */
    const char *example;
    uint64_t options; /* beside the global ones */
    size_t words_min, words_max;
    bool takes_rest; /* needs what follows -- */
    enum exit_code (*run)(const struct arguments *arguments);
};

/* A row without a noun ends the table. */
extern const struct command commands[];

enum exit_code cluster_init(const struct arguments *arguments);
enum exit_code cluster_status(const struct arguments *arguments);
enum exit_code definition_deploy(const struct arguments *arguments);
enum exit_code definition_ls(const struct arguments *arguments);
enum exit_code definition_show(const struct arguments *arguments);
enum exit_code definition_lint(const struct arguments *arguments);
enum exit_code workflow_start(const struct arguments *arguments);
enum exit_code workflow_show(const struct arguments *arguments);
enum exit_code workflow_result(const struct arguments *arguments);
enum exit_code workflow_ls(const struct arguments *arguments);
enum exit_code workflow_history(const struct arguments *arguments);
enum exit_code expression_run(const struct arguments *arguments);
enum exit_code program_run(const struct arguments *arguments);
enum exit_code version_show(const struct arguments *arguments);

/* Help on what the arguments name so far: a command, a noun, or everything. */
void help_print(const struct arguments *arguments);

#endif
