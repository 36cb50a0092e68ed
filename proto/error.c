#include "proto/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "proto/value.h"

struct error_row {
    enum pawl_error error;
    const char *name;
    int http;
    enum pawl_outcome outcome;
    bool is_retryable;
    const char *text;
};

static const struct error_row rows[] = {
    {PAWL_OK, "OK", 200, PAWL_OUTCOME_NONE, false, "success"},
#define PAWL_ERROR(name, number, http, outcome, retryable, text)                                   \
    {PAWL_E_##name, #name, http, PAWL_OUTCOME_##outcome, (retryable) != 0, text},
#include "proto/errors.def"
#undef PAWL_ERROR
};

static const struct error_row *row_of(enum pawl_error error)
{
    static const struct error_row unknown = {
        PAWL_E_INTERNAL,      "UNKNOWN_ERROR", 500,
        PAWL_OUTCOME_UNKNOWN, false,           "an error of a newer version"};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].error == error)
            return &rows[i];
    return &unknown;
}

const char *pawl_error_name(enum pawl_error error)
{
    return row_of(error)->name;
}

const char *pawl_error_text(enum pawl_error error)
{
    return row_of(error)->text;
}

int pawl_error_http(enum pawl_error error)
{
    return row_of(error)->http;
}

bool pawl_error_is_retryable(enum pawl_error error)
{
    return row_of(error)->is_retryable;
}

enum pawl_outcome pawl_error_outcome(enum pawl_error error)
{
    return row_of(error)->outcome;
}

enum pawl_error pawl_error_from_wire(unsigned long long number)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if ((unsigned long long)rows[i].error == number)
            return rows[i].error;
    return PAWL_E_INTERNAL;
}

void diag_cut(struct pawl_diag *diag)
{
    diag->text[utf8_valid_size(bytes_string(diag->text))] = '\0';
}

enum pawl_error diag_fail(struct pawl_diag *diag, enum pawl_error error, const char *format, ...)
{
    if (diag != NULL) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(diag->text, sizeof diag->text, format, arguments);
        va_end(arguments);
        diag_cut(diag);
    }
    return error;
}
