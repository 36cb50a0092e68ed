/* Arrays: sums, order, grouping. */
#include "workflow/expression/builtin.h"
#include "workflow/expression/number.h"
#include "workflow/expression/operate.h"

static bool opened_array(struct work *work, struct datum input, const char *verb,
                         struct datum *opened_out)
{
    if (input.kind != DATUM_ARRAY)
        return work_fail(work, "%v cannot be %s, as it is not an array", &input, verb);
    return datum_open(work, input, opened_out);
}

static bool opened_container(struct work *work, struct datum input, struct datum *opened_out)
{
    if (input.kind < DATUM_ARRAY)
        return work_fail(work, "Cannot iterate over %v", &input);
    return datum_open(work, input, opened_out);
}

static struct datum element(struct datum container, uint32_t place)
{
    return container.kind == DATUM_ARRAY ? container.items->at[place]
                                         : container.entries->at[place].value;
}

/* Strings gather in one text, so that adding many is linear. Stops before what is no string. */
static bool add_strings(struct work *work, struct datum container, uint32_t *place,
                        struct datum *sum_out)
{
    struct text text = {.work = work};
    text_append(&text, datum_bytes(*sum_out));
    for (; *place < container.size; ++*place) {
        const struct datum part = element(container, *place);
        if (part.kind != DATUM_STRING)
            break;
        text_append(&text, datum_bytes(part));
    }
    return text_take(&text, sum_out);
}

bool array_add(struct work *work, struct datum input, const struct datum *arguments,
               struct datum *output_out)
{
    struct datum sum = datum_null();
    (void)arguments;
    if (!opened_container(work, input, &input) || !work_charge_elements(work, input.size))
        return false;
    for (uint32_t i = 0; i < input.size;) {
        const struct datum part = element(input, i);
        if (sum.kind == DATUM_STRING && part.kind == DATUM_STRING) {
            if (!add_strings(work, input, &i, &sum))
                return false;
            continue;
        }
        if (!operate_add(work, sum, part, &sum))
            return false;
        i++;
    }
    *output_out = sum;
    return true;
}

/* Whether an element is (or is not) true. */
static bool find_truth(struct work *work, struct datum input, bool wanted, bool *is_found_out)
{
    if (!opened_container(work, input, &input))
        return false;
    uint32_t i = 0;
    while (i < input.size && datum_is_truthy(element(input, i)) != wanted)
        i++;
    *is_found_out = i < input.size;
    return work_charge_elements(work, i);
}

bool array_any(struct work *work, struct datum input, const struct datum *arguments,
               struct datum *output_out)
{
    bool is_found;
    (void)arguments;
    if (!find_truth(work, input, true, &is_found))
        return false;
    *output_out = datum_bool(is_found);
    return true;
}

bool array_all(struct work *work, struct datum input, const struct datum *arguments,
               struct datum *output_out)
{
    bool is_found;
    (void)arguments;
    if (!find_truth(work, input, false, &is_found))
        return false;
    *output_out = datum_bool(!is_found);
    return true;
}

/* The places of the keys in jq's order. keys is opened and as long as what it sorts. */
static bool sorted_places(struct work *work, struct datum keys, const struct datum ***sorted_out)
{
    const struct datum **sorted = work_alloc_charged(work, (keys.size + 1) * sizeof *sorted);
    if (sorted == NULL)
        return false;
    for (uint32_t i = 0; i < keys.size; i++)
        sorted[i] = &keys.items->at[i];
    *sorted_out = sorted;
    return datum_sort(work, sorted, keys.size);
}

/* input and keys opened, and of one length. */
static bool open_both(struct work *work, struct datum *input, struct datum *keys,
                      const char *failure)
{
    if (input->kind != DATUM_ARRAY || datum_count(*input) != datum_count(*keys))
        return work_fail(work, "%v and %v cannot be %s", input, keys, failure);
    return datum_open(work, *input, input) && datum_open(work, *keys, keys);
}

static struct datum at_key(struct datum input, struct datum keys, const struct datum *key)
{
    return input.items->at[key - keys.items->at];
}

bool array_sort_by(struct work *work, struct datum input, const struct datum *arguments,
                   struct datum *output_out)
{
    struct datum keys = arguments[0];
    const struct datum **sorted;
    if (!open_both(work, &input, &keys, "sorted, as they are not both arrays") ||
        !sorted_places(work, keys, &sorted) || !datum_array_new(work, input.size, output_out))
        return false;
    for (uint32_t i = 0; i < input.size; i++) {
        if (!datum_array_push(work, output_out, at_key(input, keys, sorted[i])))
            return false;
    }
    return true;
}

bool array_sort(struct work *work, struct datum input, const struct datum *arguments,
                struct datum *output_out)
{
    (void)arguments;
    if (!opened_array(work, input, "sorted", &input))
        return false;
    return array_sort_by(work, input, &input, output_out);
}

static bool end_group(struct work *work, struct datum *groups, struct datum *group)
{
    return datum_array_push(work, groups, *group) && datum_array_new(work, 0, group);
}

bool array_group_by(struct work *work, struct datum input, const struct datum *arguments,
                    struct datum *output_out)
{
    struct datum keys = arguments[0];
    const struct datum **sorted;
    struct datum group;
    if (!open_both(work, &input, &keys, "sorted, as they are not both arrays") ||
        !sorted_places(work, keys, &sorted) || !datum_array_new(work, 0, output_out) ||
        !datum_array_new(work, 0, &group))
        return false;
    for (uint32_t i = 0; i < input.size; i++) {
        bool is_same = true;
        if (i > 0 && !datum_equal(work, *sorted[i - 1], *sorted[i], &is_same))
            return false;
        if (!is_same && !end_group(work, output_out, &group))
            return false;
        if (!datum_array_push(work, &group, at_key(input, keys, sorted[i])))
            return false;
    }
    return input.size == 0 || datum_array_push(work, output_out, group);
}

bool array_unique_by(struct work *work, struct datum input, const struct datum *arguments,
                     struct datum *output_out)
{
    struct datum keys = arguments[0];
    const struct datum **sorted;
    if (!open_both(work, &input, &keys, "sorted, as they are not both arrays") ||
        !sorted_places(work, keys, &sorted) || !datum_array_new(work, 0, output_out))
        return false;
    for (uint32_t i = 0; i < input.size; i++) {
        bool is_same = false;
        if (i > 0 && !datum_equal(work, *sorted[i - 1], *sorted[i], &is_same))
            return false;
        if (!is_same && !datum_array_push(work, output_out, at_key(input, keys, sorted[i])))
            return false;
    }
    return true;
}

bool array_unique(struct work *work, struct datum input, const struct datum *arguments,
                  struct datum *output_out)
{
    (void)arguments;
    if (!opened_array(work, input, "sorted", &input))
        return false;
    return array_unique_by(work, input, &input, output_out);
}

/* The first of the least, or the last of the greatest. */
static bool extreme(struct work *work, struct datum input, struct datum keys, bool is_greatest,
                    struct datum *output_out)
{
    uint32_t best = 0;
    if (!open_both(work, &input, &keys, "iterated over"))
        return false;
    for (uint32_t i = 1; i < input.size; i++) {
        int order;
        if (!datum_compare(work, keys.items->at[i], keys.items->at[best], &order))
            return false;
        if (is_greatest ? order >= 0 : order < 0)
            best = i;
    }
    *output_out = input.size > 0 ? input.items->at[best] : datum_null();
    return true;
}

bool array_min_by(struct work *work, struct datum input, const struct datum *arguments,
                  struct datum *output_out)
{
    return extreme(work, input, arguments[0], false, output_out);
}

bool array_max_by(struct work *work, struct datum input, const struct datum *arguments,
                  struct datum *output_out)
{
    return extreme(work, input, arguments[0], true, output_out);
}

bool array_min(struct work *work, struct datum input, const struct datum *arguments,
               struct datum *output_out)
{
    (void)arguments;
    return extreme(work, input, input, false, output_out);
}

bool array_max(struct work *work, struct datum input, const struct datum *arguments,
               struct datum *output_out)
{
    (void)arguments;
    return extreme(work, input, input, true, output_out);
}

static bool reverse_string(struct work *work, struct bytes text, struct datum *output_out)
{
    uint8_t *reversed = work_alloc_charged(work, text.size + 1);
    if (reversed == NULL || !work_charge_bytes(work, text.size))
        return false;
    size_t end = text.size;
    for (size_t at = 0; at < text.size;) {
        uint32_t rune;
        const size_t size = text_rune(bytes_of(text.data + at, text.size - at), &rune);
        end -= size;
        memcpy(reversed + end, text.data + at, size);
        at += size;
    }
    *output_out = datum_text(bytes_of(reversed, text.size));
    return true;
}

bool array_reverse(struct work *work, struct datum input, const struct datum *arguments,
                   struct datum *output_out)
{
    (void)arguments;
    if (input.kind == DATUM_STRING)
        return reverse_string(work, datum_bytes(input), output_out);
    if (input.kind == DATUM_NULL)
        return datum_array_new(work, 0, output_out);
    if (!opened_array(work, input, "reversed", &input) ||
        !datum_array_new(work, input.size, output_out))
        return false;
    for (uint32_t i = input.size; i-- > 0;) {
        if (!datum_array_push(work, output_out, input.items->at[i]))
            return false;
    }
    return true;
}

bool array_transpose(struct work *work, struct datum input, const struct datum *arguments,
                     struct datum *output_out)
{
    uint32_t width = 0;
    (void)arguments;
    if (!opened_array(work, input, "transposed", &input) || !datum_array_new(work, 0, output_out))
        return false;
    for (uint32_t i = 0; i < input.size; i++) {
        if (input.items->at[i].kind != DATUM_ARRAY)
            return work_fail(work, "%v cannot be transposed, as it is not an array of arrays",
                             &input);
        const uint32_t count = datum_count(input.items->at[i]);
        width = count > width ? count : width;
    }
    for (uint32_t column = 0; column < width; column++) {
        struct datum row;
        struct datum cell;
        if (!datum_array_new(work, input.size, &row))
            return false;
        for (uint32_t i = 0; i < input.size; i++) {
            if (!datum_array_get(work, input.items->at[i], column, &cell) ||
                !datum_array_push(work, &row, cell))
                return false;
        }
        if (!datum_array_push(work, output_out, row))
            return false;
    }
    return true;
}

/* The recursion follows the nesting of arrays, which is bounded. */
static bool flatten(struct work *work, struct datum container, double depth, struct datum *flat)
{
    if (!opened_container(work, container, &container))
        return false;
    for (uint32_t i = 0; i < container.size; i++) {
        const struct datum part = element(container, i);
        const bool is_done = part.kind == DATUM_ARRAY && depth > 0
                                 ? flatten(work, part, depth - 1, flat)
                                 : datum_array_push(work, flat, part);
        if (!is_done)
            return false;
    }
    return work_charge_elements(work, container.size);
}

bool array_flatten(struct work *work, struct datum input, const struct datum *arguments,
                   struct datum *output_out)
{
    (void)arguments;
    return datum_array_new(work, 0, output_out) && flatten(work, input, 1e9, output_out);
}

bool array_flatten_to(struct work *work, struct datum input, const struct datum *arguments,
                      struct datum *output_out)
{
    if (!datum_is_number(arguments[0]))
        return work_fail(work, "flatten depth must be a number");
    const double depth = number_real(arguments[0]);
    if (depth < 0)
        return work_fail(work, "flatten depth must not be negative");
    return datum_array_new(work, 0, output_out) && flatten(work, input, depth, output_out);
}

/* The place, or -1 - the place where it would be put. */
bool array_bsearch(struct work *work, struct datum input, const struct datum *arguments,
                   struct datum *output_out)
{
    if (!opened_array(work, input, "searched from", &input))
        return false;
    uint32_t begin = 0;
    uint32_t end = input.size;
    while (begin < end) {
        const uint32_t middle = begin + (end - begin) / 2;
        int order;
        if (!datum_compare(work, arguments[0], input.items->at[middle], &order))
            return false;
        if (order == 0) {
            *output_out = datum_integer(middle);
            return true;
        }
        if (order < 0)
            end = middle;
        else
            begin = middle + 1;
    }
    *output_out = datum_integer(-1 - (int64_t)begin);
    return true;
}
