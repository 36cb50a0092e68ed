#include "client/cli/print.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/json.h"

bool wants_json(const struct arguments *arguments)
{
    const char *output = arguments->values[OPTION_OUTPUT];
    return output != NULL && strcmp(output, "json") == 0;
}

enum exit_code exit_code_of(enum pawl_error error)
{
    switch (error) {
    case PAWL_OK:
        return EXIT_OK;
    case PAWL_E_NOT_FOUND:
        return EXIT_NOT_FOUND;
    case PAWL_E_EXISTS:
    case PAWL_E_CONFLICT:
    case PAWL_E_STALE:
    case PAWL_E_WRONG_CLUSTER:
    case PAWL_E_LOCKED:
        return EXIT_CONFLICT;
    case PAWL_E_WORKFLOW_FAILED:
        return EXIT_WORKFLOW_FAILED;
    case PAWL_E_INVALID:
    case PAWL_E_NO_MEMORY:
    case PAWL_E_LIMIT:
    case PAWL_E_UNSUPPORTED:
    case PAWL_E_EXPRESSION:
    case PAWL_E_CLOSED:
    case PAWL_E_TIMEOUT:
    case PAWL_E_CANCELLED:
    case PAWL_E_NETWORK:
    case PAWL_E_NOT_LEADER:
    case PAWL_E_NO_LEADER:
    case PAWL_E_BUSY:
    case PAWL_E_UNKNOWN_OUTCOME:
    case PAWL_E_DISK_FULL:
    case PAWL_E_NOT_READY:
    case PAWL_E_NOT_ATTACHED:
    case PAWL_E_NOT_BOOTSTRAPPED:
    case PAWL_E_VERSION:
    case PAWL_E_IO:
    case PAWL_E_CORRUPT:
    case PAWL_E_NOT_LOADED:
    case PAWL_E_INTERNAL:
        break;
    }
    return pawl_error_is_retryable(error) ? EXIT_UNAVAILABLE : EXIT_FAILED;
}

static void pair_pack(struct buffer *out, const char *key, const char *text)
{
    struct bytes words = bytes_string(text);
    pack_text(out, key);
    pack_string(out, utf8_is_valid(words) ? words : BYTES_LITERAL("(not UTF-8)"));
}

static void problem_print(enum pawl_error error, const char *text)
{
    struct buffer problem = {0}, json = {0};
    char code[64];
    snprintf(code, sizeof code, "PAWL_%s", pawl_error_name(error));
    pack_map(&problem, 7);
    pair_pack(&problem, "type", "about:blank");
    pair_pack(&problem, "title", pawl_error_text(error));
    pack_text(&problem, "status");
    pack_integer(&problem, pawl_error_http(error));
    pair_pack(&problem, "detail", text);
    pair_pack(&problem, "code", code);
    pack_text(&problem, "retryable");
    pack_bool(&problem, pawl_error_is_retryable(error));
    pair_pack(&problem, "outcome",
              pawl_error_outcome(error) == PAWL_OUTCOME_UNKNOWN ? "unknown" : "none");
    json_write(buffer_bytes(&problem), JSON_COMPACT, &json);
    fprintf(stderr, "%.*s\n", (int)json.size, (const char *)json.data);
    buffer_done(&problem);
    buffer_done(&json);
}

static void steer_safe_print(FILE *file, struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        bool is_c1 = byte == 0xc2 && i + 1 < text.size && text.data[i + 1] < 0xa0;
        if (is_c1)
            i++;
        fputc(byte < 0x20 || byte == 0x7f || is_c1 ? '?' : byte, file);
    }
}

void text_print(struct bytes text)
{
    steer_safe_print(stdout, text);
}

/* The text of an error is what happened, then what to do now. */
static const char *advice_of(enum pawl_error error)
{
    const char *advice = strstr(pawl_error_text(error), "; ");
    return advice != NULL ? advice + 2 : NULL;
}

enum exit_code error_print(const struct arguments *arguments, enum pawl_error error,
                           const char *text, const char *hint)
{
    if (text == NULL || text[0] == '\0')
        text = pawl_error_text(error);
    if (wants_json(arguments)) {
        problem_print(error, text);
        return exit_code_of(error);
    }
    fprintf(stderr, "error[PAWL_%s]: ", pawl_error_name(error));
    steer_safe_print(stderr, bytes_string(text));
    fputc('\n', stderr);
    const char *advice = hint != NULL ? hint : advice_of(error);
    if (advice != NULL && (hint != NULL || strcmp(text, pawl_error_text(error)) != 0))
        fprintf(stderr, "hint: %s\n", advice);
    return exit_code_of(error);
}

void json_print(struct bytes value)
{
    struct buffer json = {0};
    json_write(value.size > 0 ? value : value_null, JSON_COMPACT, &json);
    fwrite(json.data, 1, json.size, stdout);
    fputc('\n', stdout);
    buffer_done(&json);
}

/* A string as it is, anything else as JSON. */
static void cell_write(struct bytes value, struct buffer *out)
{
    struct bytes text;
    if (value_kind_of(value) == VALUE_NULL)
        buffer_append(out, "-", 1);
    else if (value_string(value, &text))
        buffer_append(out, text.data, text.size);
    else
        json_write(value, JSON_COMPACT, out);
}

void map_print(struct bytes value)
{
    struct value_cursor cursor = value_cursor_of(value);
    struct value_head head, key;
    struct bytes at;
    struct buffer cell = {0};
    if (value_kind_of(value) != VALUE_MAP || value_next(&cursor, &head) != PAWL_OK) {
        json_print(value);
        return;
    }
    for (uint32_t i = 0; i < head.count; i++) {
        if (value_next(&cursor, &key) != PAWL_OK || value_take(&cursor, &at) != PAWL_OK)
            break;
        buffer_reset(&cell);
        cell_write(at, &cell);
        text_print(key.bytes);
        fputs(": ", stdout);
        text_print(buffer_bytes(&cell));
        fputc('\n', stdout);
    }
    buffer_done(&cell);
}

/* Tables */

static bool is_shown(const struct column *columns, struct bytes key)
{
    for (; columns->title != NULL; columns++)
        if (columns->key != NULL && bytes_equal(bytes_string(columns->key), key))
            return true;
    return false;
}

/* What no column shows. */
static void rest_write(struct bytes row, const struct column *columns, struct buffer *out)
{
    struct value_cursor cursor = value_cursor_of(row);
    struct value_head head, key;
    struct bytes value;
    bool is_first = true;
    if (value_kind_of(row) != VALUE_MAP || value_next(&cursor, &head) != PAWL_OK)
        return;
    for (uint32_t i = 0; i < head.count; i++) {
        if (value_next(&cursor, &key) != PAWL_OK || value_take(&cursor, &value) != PAWL_OK)
            return;
        if (is_shown(columns, key.bytes))
            continue;
        if (!is_first)
            buffer_append(out, " ", 1);
        is_first = false;
        buffer_append(out, key.bytes.data, key.bytes.size);
        buffer_append(out, "=", 1);
        cell_write(value, out);
    }
}

static void cell_of(struct bytes row, const struct column *columns, size_t at, struct buffer *out)
{
    struct bytes value;
    buffer_reset(out);
    if (columns[at].key == NULL)
        rest_write(row, columns, out);
    else if (value_map_get(row, bytes_string(columns[at].key), &value))
        cell_write(value, out);
    else
        buffer_append(out, "-", 1);
}

static size_t width_of(struct bytes text)
{
    size_t width = 0;
    for (size_t i = 0; i < text.size; i++)
        width += (text.data[i] & 0xc0) != 0x80;
    return width;
}

enum { COLUMNS_MAX = 8 };

static void padded_print(struct bytes text, size_t width, bool is_last)
{
    text_print(text);
    for (size_t i = width_of(text); i < width + 2 && !is_last; i++)
        fputc(' ', stdout);
    if (is_last)
        fputc('\n', stdout);
}

static void widths_find(struct bytes array, const struct column *columns, size_t widths[])
{
    struct value_cursor cursor = value_cursor_of(array);
    struct value_head head;
    struct bytes row;
    struct buffer cell = {0};
    for (size_t at = 0; columns[at].title != NULL; at++)
        widths[at] = strlen(columns[at].title);
    if (value_next(&cursor, &head) != PAWL_OK)
        return;
    for (uint32_t i = 0; i < head.count && value_take(&cursor, &row) == PAWL_OK; i++)
        for (size_t at = 0; columns[at].title != NULL; at++) {
            cell_of(row, columns, at, &cell);
            size_t width = width_of(buffer_bytes(&cell));
            widths[at] = width > widths[at] ? width : widths[at];
        }
    buffer_done(&cell);
}

void table_print(struct bytes array, const struct column *columns)
{
    size_t widths[COLUMNS_MAX];
    struct value_cursor cursor = value_cursor_of(array);
    struct value_head head;
    struct bytes row;
    struct buffer cell = {0};
    if (value_kind_of(array) != VALUE_ARRAY) {
        json_print(array);
        return;
    }
    widths_find(array, columns, widths);
    for (size_t at = 0; columns[at].title != NULL; at++)
        padded_print(bytes_string(columns[at].title), widths[at], columns[at + 1].title == NULL);
    if (value_next(&cursor, &head) != PAWL_OK)
        return;
    for (uint32_t i = 0; i < head.count && value_take(&cursor, &row) == PAWL_OK; i++)
        for (size_t at = 0; columns[at].title != NULL; at++) {
            cell_of(row, columns, at, &cell);
            padded_print(buffer_bytes(&cell), widths[at], columns[at + 1].title == NULL);
        }
    buffer_done(&cell);
}
