#include "client/cli/arguments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/command.h"

const struct option_row option_rows[OPTION_COUNT] = {
    [OPTION_NODES] = {"nodes", 's', "HOST:PORT,...",
                      "client addresses of nodes; one is enough (PAWL_NODES, else 127.0.0.1:4770)"},
    [OPTION_NAMESPACE] = {"namespace", 'n', "NAME", "namespace (default: \"default\")"},
    [OPTION_OUTPUT] = {"output", 'o', "table|json", "form of the output (default: table)"},
    [OPTION_TIMEOUT] = {"timeout", 0, "DURATION", "give up after 500ms, 10s, 2m (default: 30s)"},
    [OPTION_HELP] = {"help", 'h', NULL, "this help"},
    [OPTION_INPUT] = {"input", 'i', "JSON|@FILE|-", "input, from a file or standard input"},
    [OPTION_ID] = {"id", 0, "ID", "workflow id (default: drawn)"},
    [OPTION_WAIT] = {"wait", 0, NULL, "wait for the end and print the output"},
    [OPTION_VERSION] = {"version", 0, "VERSION", "version of the definition (default: the newest)"},
    [OPTION_ON_CONFLICT] = {"on-conflict", 0, "fail|use-existing|terminate",
                            "when the workflow id runs (default: fail)"},
    [OPTION_ON_REUSE] = {"on-reuse", 0, "allow|allow-if-failed|reject",
                         "when the workflow id has ended (default: allow)"},
    [OPTION_REQUEST] = {"request", 0, "UUID", "request id of an earlier start, to try it again"},
    [OPTION_STATUS] = {"status", 0, "STATUS", "only those with this status"},
    [OPTION_DEFINITION] = {"definition", 0, "NAME", "only those of this definition"},
    [OPTION_LIMIT] = {"limit", 0, "N", "at most so many (default: 50)"},
    [OPTION_AFTER] = {"after", 0, "NEXT", "go on behind an earlier page"},
    [OPTION_TYPE] = {"type", 0, "TYPE", "step type to serve"},
    [OPTION_CONCURRENCY] = {"concurrency", 0, "N", "steps at once (default: 1)"},
    [OPTION_PEERS] = {"peers", 0, "HOST:PORT,...",
                      "peer addresses of all nodes of the new cluster"},
};

/* Numbers */

enum pawl_error cli_number(const char *text, uint32_t most, uint32_t *number_out,
                           struct pawl_diag *diag)
{
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || number == 0 ||
        number > most)
        return diag_fail(diag, PAWL_E_INVALID, "\"%s\" is no number from 1 to %u", text, most);
    *number_out = (uint32_t)number;
    return PAWL_OK;
}

enum pawl_error cli_duration(const char *text, uint32_t *ms_out, struct pawl_diag *diag)
{
    static const struct {
        const char *unit;
        uint32_t ms;
    } units[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60000}, {"h", 3600000}};
    char *end;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    bool is_number = text[0] >= '0' && text[0] <= '9' && errno == 0;
    for (size_t i = 0; is_number && i < sizeof units / sizeof units[0]; i++)
        if (strcmp(end, units[i].unit) == 0 && number > 0 && number <= UINT32_MAX / units[i].ms) {
            *ms_out = (uint32_t)number * units[i].ms;
            return PAWL_OK;
        }
    return diag_fail(diag, PAWL_E_INVALID, "\"%s\" is no duration like 500ms, 10s, 2m or 1h", text);
}

/* Suggestions */

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Letters to insert, delete or replace to make b of a. */
static size_t distance(const char *a, const char *b)
{
    enum { LENGTH_MAX = 32 };
    size_t row[LENGTH_MAX + 1];
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > LENGTH_MAX || b_length > LENGTH_MAX)
        return LENGTH_MAX;
    for (size_t k = 0; k <= b_length; k++)
        row[k] = k;
    for (size_t i = 1; i <= a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t k = 1; k <= b_length; k++) {
            size_t above = row[k];
            row[k] = least(least(above, row[k - 1]) + 1, diagonal + (a[i - 1] != b[k - 1]));
            diagonal = above;
        }
    }
    return row[b_length];
}

const char *nearest_name(const char *text, const char *const *names)
{
    const char *best = NULL;
    size_t best_distance = strlen(text) <= 3 ? 2 : 3; /* nearer than that */
    for (size_t i = 0; names[i] != NULL; i++) {
        size_t apart = distance(text, names[i]);
        bool is_prefix = strlen(text) >= 2 && strncmp(text, names[i], strlen(text)) == 0;
        if (is_prefix)
            apart = 1;
        if (apart < best_distance) {
            best = names[i];
            best_distance = apart;
        }
    }
    return best;
}

static enum pawl_error unknown(const char *kind, const char *text, const char *const *names,
                               struct pawl_diag *diag)
{
    const char *meant = nearest_name(text, names);
    if (meant != NULL)
        return diag_fail(diag, PAWL_E_INVALID, "there is no %s \"%s\"; did you mean \"%s\"?", kind,
                         text, meant);
    return diag_fail(diag, PAWL_E_INVALID, "there is no %s \"%s\"", kind, text);
}

/* Options */

static enum pawl_error option_unknown(const char *name, struct pawl_diag *diag)
{
    const char *names[OPTION_COUNT + 1] = {NULL};
    for (size_t i = 0; i < OPTION_COUNT; i++)
        names[i] = option_rows[i].name;
    return unknown("option", name, names, diag);
}

/* The option of a text that begins with a hyphen; value_out: what stands behind '=', or NULL. */
static enum pawl_error option_find(const char *text, enum option *option_out,
                                   const char **value_out, struct pawl_diag *diag)
{
    bool is_long = text[1] == '-';
    const char *name = text + (is_long ? 2 : 1);
    size_t length = is_long ? strcspn(name, "=") : 1;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        bool is_it = is_long ? strlen(row->name) == length && strncmp(name, row->name, length) == 0
                             : name[0] == row->letter && row->letter != 0;
        if (!is_it)
            continue;
        *option_out = (enum option)i;
        *value_out = name[length] == '\0' ? NULL : name + length + (is_long ? 1 : 0);
        return PAWL_OK;
    }
    return option_unknown(name, diag);
}

/* Take the option at *at, and its value, which may be the next text. */
static enum pawl_error option_take(int count, char *const *texts, int *at,
                                   struct arguments *arguments, struct pawl_diag *diag)
{
    enum option option = OPTION_HELP;
    const char *value = NULL;
    TRY(option_find(texts[*at], &option, &value, diag));
    const struct option_row *row = &option_rows[option];
    if (row->value == NULL) {
        if (value != NULL)
            return diag_fail(diag, PAWL_E_INVALID, "--%s takes no value", row->name);
        arguments->values[option] = "";
        return PAWL_OK;
    }
    if (value == NULL && *at + 1 < count)
        value = texts[++*at];
    if (value == NULL)
        return diag_fail(diag, PAWL_E_INVALID, "--%s needs a value: %s", row->name, row->value);
    arguments->values[option] = value;
    return PAWL_OK;
}

/* Commands */

static enum pawl_error noun_unknown(const char *noun, struct pawl_diag *diag)
{
    const char *names[32] = {NULL};
    for (size_t i = 0, count = 0; commands[i].noun != NULL && count < 31; i++)
        if (count == 0 || strcmp(names[count - 1], commands[i].noun) != 0)
            names[count++] = commands[i].noun;
    return unknown("command", noun, names, diag);
}

static enum pawl_error verb_unknown(const char *noun, const char *verb, struct pawl_diag *diag)
{
    const char *names[32] = {NULL};
    char kind[64];
    snprintf(kind, sizeof kind, "command of \"%s\" like", noun);
    for (size_t i = 0, count = 0; commands[i].noun != NULL && count < 31; i++)
        if (strcmp(noun, commands[i].noun) == 0)
            names[count++] = commands[i].verb;
    return unknown(kind, verb, names, diag);
}

/* Words that name the command are no arguments of it. */
static enum pawl_error command_find(struct arguments *arguments, struct pawl_diag *diag)
{
    bool is_noun = false;
    if (arguments->word_count == 0)
        return PAWL_OK;
    for (const struct command *at = commands; at->noun != NULL; at++) {
        if (strcmp(at->noun, arguments->words[0]) != 0)
            continue;
        is_noun = true;
        size_t named = at->verb == NULL ? 1 : 2;
        if (at->verb != NULL &&
            (arguments->word_count < 2 || strcmp(at->verb, arguments->words[1]) != 0))
            continue;
        arguments->command = at;
        arguments->word_count -= named;
        memmove(arguments->words, arguments->words + named,
                arguments->word_count * sizeof arguments->words[0]);
        return PAWL_OK;
    }
    if (!is_noun)
        return noun_unknown(arguments->words[0], diag);
    arguments->noun = arguments->words[0];
    if (arguments->word_count > 1)
        return verb_unknown(arguments->words[0], arguments->words[1], diag);
    return PAWL_OK;
}

static enum pawl_error command_check(const struct arguments *arguments, struct pawl_diag *diag)
{
    const struct command *command = arguments->command;
    const char *space = command->verb != NULL ? " " : "";
    const char *verb = command->verb != NULL ? command->verb : "";
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if (arguments->values[i] != NULL && !((command->options | OPTIONS_GLOBAL) & TAKES(i)))
            return diag_fail(diag, PAWL_E_INVALID, "%s%s%s takes no --%s", command->noun, space,
                             verb, option_rows[i].name);
    bool is_short = arguments->word_count < command->words_min;
    bool has_rest = arguments->rest != NULL && arguments->rest[0] != NULL;
    if (is_short || arguments->word_count > command->words_max || command->takes_rest != has_rest)
        return diag_fail(diag, PAWL_E_INVALID, "usage: pawl %s%s%s %s", command->noun, space, verb,
                         command->arguments);
    return PAWL_OK;
}

enum pawl_error arguments_parse(int count, char *const *texts, struct arguments *arguments,
                                struct pawl_diag *diag)
{
    *arguments = (struct arguments){0};
    for (int at = 0; at < count && arguments->rest == NULL; at++) {
        if (strcmp(texts[at], "--") == 0) {
            arguments->rest = texts + at + 1;
        } else if (texts[at][0] == '-' && texts[at][1] != '\0') {
            TRY(option_take(count, texts, &at, arguments, diag));
        } else if (arguments->word_count == WORDS_MAX) {
            return diag_fail(diag, PAWL_E_INVALID, "more than %d words", WORDS_MAX);
        } else {
            arguments->words[arguments->word_count++] = texts[at];
        }
    }
    TRY(command_find(arguments, diag));
    if (arguments->command == NULL || arguments->values[OPTION_HELP] != NULL)
        return PAWL_OK;
    return command_check(arguments, diag);
}
