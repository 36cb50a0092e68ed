/* What the command line said: the command, its options, its words. */
#ifndef PAWL_CLI_ARGUMENTS_H
#define PAWL_CLI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/error.h"

enum option {
    OPTION_NODES,
    OPTION_NAMESPACE,
    OPTION_OUTPUT,
    OPTION_TIMEOUT,
    OPTION_HELP,
    OPTION_INPUT,
    OPTION_ID,
    OPTION_WAIT,
    OPTION_VERSION,
    OPTION_ON_CONFLICT,
    OPTION_ON_REUSE,
    OPTION_REQUEST,
    OPTION_STATUS,
    OPTION_DEFINITION,
    OPTION_LIMIT,
    OPTION_AFTER,
    OPTION_TYPE,
    OPTION_CONCURRENCY,
    OPTION_PEERS,
    OPTION_COUNT,
};

#define TAKES(option) (UINT64_C(1) << (option))
#define OPTIONS_GLOBAL                                                                             \
    (TAKES(OPTION_NODES) | TAKES(OPTION_NAMESPACE) | TAKES(OPTION_OUTPUT) |                        \
     TAKES(OPTION_TIMEOUT) | TAKES(OPTION_HELP))

struct option_row {
    const char *name;  /* without the two hyphens */
    char letter;       /* 0: none */
    const char *value; /* what stands for its value in help; NULL: it takes none */
    const char *help;
};
extern const struct option_row option_rows[OPTION_COUNT];

struct command;

enum { WORDS_MAX = 64 };

struct arguments {
    const struct command *command;    /* NULL: none was named */
    const char *noun;                 /* the first word, when it names no command by itself */
    const char *values[OPTION_COUNT]; /* NULL: absent; "" for an option without a value */
    const char *words[WORDS_MAX];
    size_t word_count;
    char *const *rest; /* behind --, NULL-terminated; NULL: there was none */
};

/* Later options win. PAWL_E_INVALID: the sentence in diag says what to type instead. */
MUST_USE enum pawl_error arguments_parse(int count, char *const *texts, struct arguments *arguments,
                                         struct pawl_diag *diag);

/* "10s", "500ms", "2m", "1h", or seconds. */
MUST_USE enum pawl_error cli_duration(const char *text, uint32_t *ms_out, struct pawl_diag *diag);
MUST_USE enum pawl_error cli_number(const char *text, uint32_t most, uint32_t *number_out,
                                    struct pawl_diag *diag);
/* The one of names (NULL at the end) that was probably meant; NULL: none is near. */
const char *nearest_name(const char *text, const char *const *names);

#endif
