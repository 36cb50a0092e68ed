/* Objects and keys, and what reaches into containers by path. */
#include "workflow/expression/builtin.h"
#include "workflow/expression/number.h"
#include "workflow/expression/paths.h"

static bool array_keys(struct work *work, uint32_t count, struct datum *keys_out)
{
    if (!datum_array_new(work, count, keys_out))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!datum_array_push(work, keys_out, datum_integer(i)))
            return false;
    }
    return true;
}

bool object_keys(struct work *work, struct datum input, const struct datum *arguments,
                 struct datum *output_out)
{
    const struct datum_entry **sorted;
    (void)arguments;
    if (input.kind == DATUM_ARRAY)
        return array_keys(work, datum_count(input), output_out);
    if (input.kind != DATUM_OBJECT)
        return work_fail(work, "%v has no keys", &input);
    if (!datum_open(work, input, &input) || !datum_object_sorted(work, input, &sorted) ||
        !datum_array_new(work, input.size, output_out))
        return false;
    for (uint32_t i = 0; i < input.size; i++) {
        if (!datum_array_push(work, output_out, sorted[i]->key))
            return false;
    }
    return true;
}

bool object_keys_unsorted(struct work *work, struct datum input, const struct datum *arguments,
                          struct datum *output_out)
{
    (void)arguments;
    if (input.kind == DATUM_ARRAY)
        return array_keys(work, datum_count(input), output_out);
    if (input.kind != DATUM_OBJECT)
        return work_fail(work, "%v has no keys", &input);
    if (!datum_open(work, input, &input) || !datum_array_new(work, input.size, output_out))
        return false;
    for (uint32_t i = 0; i < input.size; i++) {
        if (!datum_array_push(work, output_out, input.entries->at[i].key))
            return false;
    }
    return true;
}

static bool push_entry(struct work *work, struct datum *entries, struct datum key,
                       struct datum value)
{
    struct datum entry;
    return datum_object_new(work, 2, &entry) &&
           datum_object_put(work, &entry, datum_text(BYTES_LITERAL("key")), key) &&
           datum_object_put(work, &entry, datum_text(BYTES_LITERAL("value")), value) &&
           datum_array_push(work, entries, entry);
}

bool object_to_entries(struct work *work, struct datum input, const struct datum *arguments,
                       struct datum *output_out)
{
    (void)arguments;
    if (input.kind < DATUM_ARRAY)
        return work_fail(work, "%v has no keys", &input);
    if (!datum_open(work, input, &input) || !datum_array_new(work, input.size, output_out))
        return false;
    for (uint32_t i = 0; i < input.size; i++) {
        const bool is_pushed =
            input.kind == DATUM_ARRAY
                ? push_entry(work, output_out, datum_integer(i), input.items->at[i])
                : push_entry(work, output_out, input.entries->at[i].key,
                             input.entries->at[i].value);
        if (!is_pushed)
            return false;
    }
    return true;
}

/* What an entry has under the first of these names (NULL at the end) that fits. */
static bool named(struct work *work, struct datum entry, const char *const *names, bool takes_null,
                  struct datum *value_out)
{
    *value_out = datum_null();
    for (; *names != NULL; names++) {
        bool is_found;
        if (!datum_object_get(work, entry, bytes_string(*names), value_out, &is_found))
            return false;
        if (is_found && (takes_null || value_out->kind != DATUM_NULL))
            return true;
    }
    *value_out = datum_null();
    return true;
}

static bool put_entry(struct work *work, struct datum *object, struct datum entry)
{
    static const char *const key_names[] = {"key", "k", "name", "Name", "K", "Key", NULL};
    static const char *const value_names[] = {"value", "v", "Value", "V", NULL};
    struct datum key;
    struct datum value;
    if (entry.kind != DATUM_OBJECT)
        return work_fail(work, "Cannot index %t with string \"key\"", &entry);
    if (!named(work, entry, key_names, false, &key) ||
        !named(work, entry, value_names, true, &value))
        return false;
    if (key.kind != DATUM_STRING)
        return work_fail(work, "Cannot use %v as object key", &key);
    return datum_object_put(work, object, key, value);
}

bool object_from_entries(struct work *work, struct datum input, const struct datum *arguments,
                         struct datum *output_out)
{
    (void)arguments;
    if (input.kind < DATUM_ARRAY)
        return work_fail(work, "Cannot iterate over %v", &input);
    if (!datum_open(work, input, &input) || !datum_object_new(work, 0, output_out))
        return false;
    for (uint32_t i = 0; i < input.size; i++) {
        const struct datum entry =
            input.kind == DATUM_ARRAY ? input.items->at[i] : input.entries->at[i].value;
        if (!put_entry(work, output_out, entry))
            return false;
    }
    return true;
}

bool object_has(struct work *work, struct datum input, const struct datum *arguments,
                struct datum *output_out)
{
    const struct datum key = arguments[0];
    struct datum value;
    bool is_found = false;
    if (input.kind == DATUM_OBJECT && key.kind == DATUM_STRING) {
        if (!datum_object_get(work, input, datum_bytes(key), &value, &is_found))
            return false;
    } else if (input.kind == DATUM_ARRAY && datum_is_number(key)) {
        const double place = number_real(key);
        is_found = place >= 0 && place < datum_count(input);
    } else if (input.kind != DATUM_NULL) {
        return work_fail(work, "Cannot check whether %t has a %t key", &input, &key);
    }
    *output_out = datum_bool(is_found);
    return true;
}

static bool contains(struct work *work, struct datum a, struct datum b, bool *contains_out);

static bool array_contains(struct work *work, struct datum a, struct datum b, bool *contains_out)
{
    *contains_out = true;
    for (uint32_t i = 0; i < b.size && *contains_out; i++) {
        *contains_out = false;
        for (uint32_t j = 0; j < a.size && !*contains_out; j++) {
            if (!contains(work, a.items->at[j], b.items->at[i], contains_out))
                return false;
        }
    }
    return true;
}

static bool object_contains_all(struct work *work, struct datum a, struct datum b,
                                bool *contains_out)
{
    *contains_out = true;
    for (uint32_t i = 0; i < b.size && *contains_out; i++) {
        struct datum value;
        if (!datum_object_get(work, a, datum_bytes(b.entries->at[i].key), &value, contains_out))
            return false;
        if (*contains_out && !contains(work, value, b.entries->at[i].value, contains_out))
            return false;
    }
    return true;
}

static bool string_contains(struct work *work, struct bytes text, struct bytes part)
{
    bool is_found = false;
    for (size_t at = 0; at + part.size <= text.size && !is_found; at++)
        is_found = bytes_have_prefix(bytes_of(text.data + at, text.size - at), part);
    return work_charge_elements(work, text.size) && is_found;
}

/* The recursion follows the nesting of the values, which is bounded. */
static bool contains(struct work *work, struct datum a, struct datum b, bool *contains_out)
{
    if (!work_charge_elements(work, 1))
        return false;
    if (a.kind == DATUM_STRING && b.kind == DATUM_STRING) {
        *contains_out = string_contains(work, datum_bytes(a), datum_bytes(b));
        return work->failure == PAWL_OK;
    }
    if (a.kind != b.kind || a.kind < DATUM_ARRAY)
        return datum_equal(work, a, b, contains_out);
    if (!datum_open(work, a, &a) || !datum_open(work, b, &b))
        return false;
    return a.kind == DATUM_ARRAY ? array_contains(work, a, b, contains_out)
                                 : object_contains_all(work, a, b, contains_out);
}

bool object_contains(struct work *work, struct datum input, const struct datum *arguments,
                     struct datum *output_out)
{
    bool is_contained;
    const struct datum part = arguments[0];
    if (input.kind != part.kind && !(datum_is_number(input) && datum_is_number(part)))
        return work_fail(work, "%v and %v cannot have their containment checked", &input, &part);
    if (!contains(work, input, part, &is_contained))
        return false;
    *output_out = datum_bool(is_contained);
    return true;
}

bool object_delpaths(struct work *work, struct datum input, const struct datum *arguments,
                     struct datum *output_out)
{
    return path_delete(work, input, arguments[0], output_out);
}

bool object_setpath(struct work *work, struct datum input, const struct datum *arguments,
                    struct datum *output_out)
{
    return path_set(work, input, arguments[0], arguments[1], output_out);
}

bool object_indices(struct work *work, struct datum input, const struct datum *arguments,
                    struct datum *output_out)
{
    return path_indices(work, input, arguments[0], output_out);
}

static bool place(struct work *work, struct datum input, struct datum key, bool is_last,
                  struct datum *output_out)
{
    struct datum places;
    if (!path_indices(work, input, key, &places))
        return false;
    const bool is_found = places.kind == DATUM_ARRAY && places.size > 0;
    *output_out = is_found ? places.items->at[is_last ? places.size - 1 : 0] : datum_null();
    return true;
}

bool object_index(struct work *work, struct datum input, const struct datum *arguments,
                  struct datum *output_out)
{
    return place(work, input, arguments[0], false, output_out);
}

bool object_rindex(struct work *work, struct datum input, const struct datum *arguments,
                   struct datum *output_out)
{
    return place(work, input, arguments[0], true, output_out);
}

/* A new edit, as its number. */
bool edit_begin(struct work *work, struct datum input, const struct datum *arguments,
                struct datum *output_out)
{
    (void)input, (void)arguments;
    *output_out = datum_integer(++work->edit_count);
    return true;
}

/* Before a program sees the input: the same edit, or a new one if the old one made it. */
bool edit_show(struct work *work, struct datum input, const struct datum *arguments,
               struct datum *output_out)
{
    *output_out = arguments[0];
    return !datum_is_owned(input, (uint32_t)arguments[0].integer) ||
           edit_begin(work, input, arguments, output_out);
}

bool edit_set(struct work *work, struct datum input, const struct datum *arguments,
              struct datum *output_out)
{
    return path_edit(work, input, arguments[1], arguments[2], (uint32_t)arguments[0].integer,
                     output_out);
}
