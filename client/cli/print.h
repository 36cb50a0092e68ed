/* Output: values as tables, lines or JSON; errors for people and for programs. */
#ifndef PAWL_CLI_PRINT_H
#define PAWL_CLI_PRINT_H

#include "client/cli/command.h"
#include "client/pawl.h"
#include "proto/bytes.h"

bool wants_json(const struct arguments *arguments);

/* An error on standard error; with -o json a problem object (RFC 9457). hint NULL: what the list of
 * errors advises. The exit code that goes with it. */
enum exit_code error_print(const struct arguments *arguments, enum pawl_error error,
                           const char *text, const char *hint);
enum exit_code exit_code_of(enum pawl_error error);

/* A value as one line of JSON. */
void json_print(struct bytes value);
/* A map as "key: value" lines; another value as JSON. */
void map_print(struct bytes value);

struct column {
    const char *title;
    const char *key; /* of each element; NULL: the keys that no column shows, as JSON */
};
/* An array of maps as a table; the columns end with a row without a title. */
void table_print(struct bytes array, const struct column *columns);
/* Text that came from outside, without what could steer a terminal. */
void text_print(struct bytes text);

#endif
