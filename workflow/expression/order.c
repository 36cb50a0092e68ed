/* The order of values, as jq has it, and what rests on it: equality, sorting, sorted keys. */
#include "workflow/expression/number.h"
#include "workflow/expression/work.h"

/* null, false, true, numbers, strings, binary, arrays, objects. */
static int rank(struct datum datum)
{
    return datum_is_number(datum) ? DATUM_INTEGER : datum.kind;
}

static bool compare_arrays(struct work *work, struct datum a, struct datum b, int *order_out)
{
    for (uint32_t i = 0; i < a.size && i < b.size; i++) {
        if (!datum_compare(work, a.items->at[i], b.items->at[i], order_out))
            return false;
        if (*order_out != 0)
            return true;
    }
    *order_out = (a.size > b.size) - (a.size < b.size);
    return true;
}

static int compare_keys(const struct datum_entry **a, uint32_t a_count,
                        const struct datum_entry **b, uint32_t b_count)
{
    for (uint32_t i = 0; i < a_count && i < b_count; i++) {
        const int order = bytes_compare(datum_bytes(a[i]->key), datum_bytes(b[i]->key));
        if (order != 0)
            return order;
    }
    return (a_count > b_count) - (a_count < b_count);
}

/* First the sorted keys as an array, then the values key by key. */
static bool compare_objects(struct work *work, struct datum a, struct datum b, int *order_out)
{
    const struct datum_entry **a_entries;
    const struct datum_entry **b_entries;
    if (!datum_object_sorted(work, a, &a_entries) || !datum_object_sorted(work, b, &b_entries))
        return false;
    *order_out = compare_keys(a_entries, a.size, b_entries, b.size);
    for (uint32_t i = 0; i < a.size && *order_out == 0; i++) {
        if (!datum_compare(work, a_entries[i]->value, b_entries[i]->value, order_out))
            return false;
    }
    return true;
}

bool datum_compare(struct work *work, struct datum a, struct datum b, int *order_out)
{
    if (!work_charge_elements(work, 1))
        return false;
    if (rank(a) != rank(b)) {
        *order_out = rank(a) < rank(b) ? -1 : 1;
        return true;
    }
    if (datum_is_number(a)) {
        *order_out = number_compare(a, b);
        return true;
    }
    if (a.kind == DATUM_STRING || a.kind == DATUM_BINARY) {
        *order_out = bytes_compare(datum_bytes(a), datum_bytes(b));
        return work_charge_bytes(work, a.size < b.size ? a.size : b.size);
    }
    if (a.kind < DATUM_ARRAY) {
        *order_out = 0;
        return true;
    }
    if (!datum_open(work, a, &a) || !datum_open(work, b, &b))
        return false;
    return a.kind == DATUM_ARRAY ? compare_arrays(work, a, b, order_out)
                                 : compare_objects(work, a, b, order_out);
}

static bool equal_objects(struct work *work, struct datum a, struct datum b, bool *is_equal_out)
{
    for (uint32_t i = 0; i < a.size; i++) {
        struct datum other;
        bool is_found;
        if (!datum_object_get(work, b, datum_bytes(a.entries->at[i].key), &other, &is_found))
            return false;
        *is_equal_out = is_found;
        if (is_found && !datum_equal(work, a.entries->at[i].value, other, is_equal_out))
            return false;
        if (!*is_equal_out)
            return true;
    }
    *is_equal_out = true;
    return true;
}

bool datum_equal(struct work *work, struct datum a, struct datum b, bool *is_equal_out)
{
    if (a.kind == DATUM_OBJECT && b.kind == DATUM_OBJECT) {
        if (!datum_open(work, a, &a) || !datum_open(work, b, &b))
            return false;
        *is_equal_out = a.size == b.size;
        return !*is_equal_out ||
               (work_charge_elements(work, 1) && equal_objects(work, a, b, is_equal_out));
    }
    int order;
    if (!datum_compare(work, a, b, &order))
        return false;
    *is_equal_out = order == 0;
    return true;
}

typedef bool (*sort_order)(struct work *work, const void *a, const void *b, int *order_out);

static bool merge(struct work *work, const void **from, uint32_t middle, uint32_t count,
                  const void **to, sort_order order)
{
    uint32_t left = 0;
    uint32_t right = middle;
    for (uint32_t i = 0; i < count; i++) {
        int sign = left == middle ? 1 : -1;
        if (left < middle && right < count && !order(work, from[left], from[right], &sign))
            return false;
        to[i] = sign <= 0 ? from[left++] : from[right++];
    }
    return true;
}

/* Bottom-up merge sort: stable, no recursion, every comparison charged. */
static bool sort(struct work *work, const void **things, uint32_t count, sort_order order)
{
    if (count < 2)
        return true;
    const void **spare = work_alloc_charged(work, count * sizeof *spare);
    if (spare == NULL)
        return false;
    for (uint64_t width = 1; width < count; width *= 2) {
        for (uint64_t begin = 0; begin < count; begin += 2 * width) {
            const uint64_t left = count - begin;
            const uint32_t size = (uint32_t)(left < 2 * width ? left : 2 * width);
            const uint32_t middle = (uint32_t)(left < width ? left : width);
            if (!merge(work, things + begin, middle, size, spare + begin, order))
                return false;
        }
        memcpy(things, spare, count * sizeof *spare);
        if (!work_charge_elements(work, count))
            return false;
    }
    return true;
}

static bool order_datums(struct work *work, const void *a, const void *b, int *order_out)
{
    return datum_compare(work, *(const struct datum *)a, *(const struct datum *)b, order_out);
}

bool datum_sort(struct work *work, const struct datum **datums, uint32_t count)
{
    return sort(work, (const void **)datums, count, order_datums);
}

static bool order_entries(struct work *work, const void *a, const void *b, int *order_out)
{
    const struct datum_entry *first = a;
    const struct datum_entry *second = b;
    *order_out = bytes_compare(datum_bytes(first->key), datum_bytes(second->key));
    return work_charge_elements(work, 1 + first->key.size / WORK_ELEMENTS_PER_UNIT);
}

bool datum_object_sorted(struct work *work, struct datum object,
                         const struct datum_entry ***entries_out)
{
    const struct datum_entry **entries =
        work_alloc_charged(work, (object.size + 1) * sizeof *entries);
    if (entries == NULL)
        return false;
    for (uint32_t i = 0; i < object.size; i++)
        entries[i] = &object.entries->at[i];
    if (!sort(work, (const void **)entries, object.size, order_entries))
        return false;
    *entries_out = entries;
    return true;
}
