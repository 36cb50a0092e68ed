/* Nodes of a document: their kinds, keys and places, and the messages about them. */
#include "workflow/compile.h"

#include <stdarg.h>
#include <stdio.h>

static void place_note(const struct compile *compile, struct bytes node, struct pawl_diag *diag)
{
    diag->line = diag->column = 0;
    if (compile->places == NULL || node.data < compile->document.data ||
        node.data > compile->document.data + compile->document.size)
        return;
    size_t offset = (size_t)(node.data - compile->document.data);
    const struct yaml_place *place = yaml_place_at(compile->places, offset);
    if (place == NULL)
        return;
    diag->line = (int)place->line;
    diag->column = (int)place->column;
}

enum pawl_error compile_fail(const struct compile *compile, struct bytes node,
                             enum pawl_error error, const char *format, ...)
{
    if (compile->diag == NULL)
        return error;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(compile->diag->text, sizeof compile->diag->text, format, arguments);
    va_end(arguments);
    diag_cut(compile->diag);
    place_note(compile, node, compile->diag);
    return error;
}

enum pawl_error compile_warn(struct compile *compile, struct bytes node, const char *format, ...)
{
    if (compile->warning_count == compile->warning_capacity) {
        size_t wanted = compile->warning_capacity == 0 ? 4 : compile->warning_capacity * 2;
        struct definition_warning *grown = arena_array(compile->arena, wanted, sizeof *grown);
        if (grown == NULL)
            return PAWL_E_NO_MEMORY;
        if (compile->warning_count > 0)
            memcpy(grown, compile->warnings, compile->warning_count * sizeof *grown);
        compile->warnings = grown;
        compile->warning_capacity = wanted;
    }
    struct pawl_diag *diag = &compile->warnings[compile->warning_count++].diag;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(diag->text, sizeof diag->text, format, arguments);
    va_end(arguments);
    diag_cut(diag);
    place_note(compile, node, diag);
    return PAWL_OK;
}

struct node_pairs node_pairs_of(struct bytes map)
{
    struct node_pairs pairs = {.cursor = value_cursor_of(map)};
    struct value_head head;
    if (value_next(&pairs.cursor, &head) == PAWL_OK && head.kind == VALUE_MAP)
        pairs.left = head.count;
    return pairs;
}

bool node_pair_next(struct node_pairs *pairs, struct node_pair *pair_out)
{
    if (pairs->left == 0)
        return false;
    pairs->left--;
    return value_take(&pairs->cursor, &pair_out->key_node) == PAWL_OK &&
           value_string(pair_out->key_node, &pair_out->key) &&
           value_take(&pairs->cursor, &pair_out->value) == PAWL_OK;
}

struct node_elements node_elements_of(struct bytes array)
{
    struct node_elements elements = {.cursor = value_cursor_of(array)};
    struct value_head head;
    if (value_next(&elements.cursor, &head) == PAWL_OK && head.kind == VALUE_ARRAY)
        elements.left = head.count;
    return elements;
}

bool node_element_next(struct node_elements *elements, struct bytes *element_out)
{
    if (elements->left == 0)
        return false;
    elements->left--;
    return value_take(&elements->cursor, element_out) == PAWL_OK;
}

static const char *kind_name(enum value_kind kind)
{
    switch (kind) {
    case VALUE_NULL:
        return "nothing";
    case VALUE_BOOL:
        return "a boolean";
    case VALUE_INTEGER:
    case VALUE_UNSIGNED:
    case VALUE_FLOAT:
        return "a number";
    case VALUE_STRING:
        return "a string";
    case VALUE_BINARY:
        return "binary data";
    case VALUE_ARRAY:
        return "a list";
    case VALUE_MAP:
        return "a map";
    }
    return "something else";
}

static enum pawl_error kind_fail(const struct compile *compile, struct bytes node, const char *what,
                                 const char *expected)
{
    return compile_fail(compile, node, PAWL_E_INVALID, "%s is %s; it must be %s", what,
                        kind_name(value_kind_of(node)), expected);
}

enum pawl_error node_want_map(const struct compile *compile, struct bytes node, const char *what)
{
    if (value_kind_of(node) != VALUE_MAP)
        return kind_fail(compile, node, what, "a map");
    return PAWL_OK;
}

enum pawl_error node_want_array(const struct compile *compile, struct bytes node, const char *what)
{
    if (value_kind_of(node) != VALUE_ARRAY)
        return kind_fail(compile, node, what, "a list");
    return PAWL_OK;
}

enum pawl_error node_want_string(const struct compile *compile, struct bytes node, const char *what,
                                 struct bytes *text_out)
{
    if (!value_string(node, text_out))
        return kind_fail(compile, node, what, "a string");
    return PAWL_OK;
}

enum pawl_error node_want_integer(const struct compile *compile, struct bytes node,
                                  const char *what, int64_t *integer_out)
{
    if (!value_integer(node, integer_out))
        return kind_fail(compile, node, what, "an integer");
    return PAWL_OK;
}

enum { SUGGESTION_WORD_MAX = 40 };

/* Edits between two words, or a number too large to matter. */
static size_t edit_distance(struct bytes a, struct bytes b)
{
    size_t row[SUGGESTION_WORD_MAX + 1];
    if (a.size > SUGGESTION_WORD_MAX || b.size > SUGGESTION_WORD_MAX)
        return SUGGESTION_WORD_MAX;
    for (size_t k = 0; k <= b.size; k++)
        row[k] = k;
    for (size_t i = 1; i <= a.size; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t k = 1; k <= b.size; k++) {
            size_t change = diagonal + (a.data[i - 1] != b.data[k - 1]);
            size_t insert = (row[k] < row[k - 1] ? row[k] : row[k - 1]) + 1;
            diagonal = row[k];
            row[k] = change < insert ? change : insert;
        }
    }
    return row[b.size];
}

void suggestion_begin(struct suggestion *suggestion)
{
    *suggestion = (struct suggestion){.distance = 3};
}

void suggestion_offer(struct suggestion *suggestion, struct bytes typed, struct bytes candidate)
{
    size_t distance = edit_distance(typed, candidate);
    if (distance >= suggestion->distance || distance >= candidate.size)
        return;
    suggestion->distance = distance;
    snprintf(suggestion->text, sizeof suggestion->text, "; did you mean '%.*s'?",
             TEXT_OF(candidate));
}

static enum pawl_error key_check(const struct compile *compile, const struct node_pair *pair,
                                 const char *what, const struct key_rule *rules)
{
    struct suggestion suggestion;
    suggestion_begin(&suggestion);
    for (const struct key_rule *rule = rules; rule->name != NULL; rule++) {
        if (bytes_equal(pair->key, bytes_string(rule->name))) {
            if (rule->refusal == NULL)
                return PAWL_OK;
            return compile_fail(compile, pair->key_node, PAWL_E_UNSUPPORTED, "%s", rule->refusal);
        }
        suggestion_offer(&suggestion, pair->key, bytes_string(rule->name));
    }
    return compile_fail(compile, pair->key_node, PAWL_E_INVALID, "%s has no key '%.*s'%s", what,
                        TEXT_OF(pair->key), suggestion.text);
}

enum pawl_error node_want_keys(const struct compile *compile, struct bytes node, const char *what,
                               const struct key_rule *rules)
{
    TRY(node_want_map(compile, node, what));
    struct node_pairs pairs = node_pairs_of(node);
    struct node_pair pair;
    while (node_pair_next(&pairs, &pair))
        TRY(key_check(compile, &pair, what, rules));
    return PAWL_OK;
}

bool node_get(struct bytes map, const char *key, struct bytes *child_out)
{
    return value_map_get(map, bytes_string(key), child_out);
}

struct bytes node_key(struct bytes map, const char *key)
{
    struct node_pairs pairs = node_pairs_of(map);
    struct node_pair pair;
    while (node_pair_next(&pairs, &pair))
        if (bytes_equal(pair.key, bytes_string(key)))
            return pair.key_node;
    return map;
}

enum pawl_error node_want(const struct compile *compile, struct bytes map, const char *what,
                          const char *key, struct bytes *child_out)
{
    if (!node_get(map, key, child_out))
        return compile_fail(compile, map, PAWL_E_INVALID, "%s lacks '%s'", what, key);
    return PAWL_OK;
}
