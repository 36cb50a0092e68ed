#include "workflow/expression/paths.h"

#include <math.h>

#include "workflow/expression/number.h"
#include "workflow/expression/text.h"

static bool cannot_index(struct work *work, struct datum target, struct datum key)
{
    if (key.kind == DATUM_STRING)
        return work_fail(work, "Cannot index %t with string \"%a\"", &target, &key);
    return work_fail(work, "Cannot index %t with %t", &target, &key);
}

/* A place counted from the end when negative; false when there is none. */
static bool place_of(struct datum index, uint32_t count, int64_t *place_out)
{
    if (number_is_nan(index))
        return false;
    int64_t place = number_clamp(index);
    if (place < 0)
        place = place < -(int64_t)count - 1 ? -1 : place + count;
    *place_out = place;
    return true;
}

static bool index_array(struct work *work, struct datum array, struct datum key,
                        struct datum *value_out)
{
    int64_t place;
    const uint32_t count = datum_count(array);
    if (!place_of(key, count, &place) || place < 0 || place >= count) {
        *value_out = datum_null();
        return true;
    }
    return datum_array_get(work, array, (uint32_t)place, value_out);
}

static bool not_a_slice(struct work *work)
{
    return work_fail(work, "Start and end indices of an array slice must be numbers");
}

static bool slice_bounds(struct work *work, struct datum key, struct datum *from, struct datum *to)
{
    bool has_start;
    bool has_end;
    if (!datum_object_get(work, key, BYTES_LITERAL("start"), from, &has_start) ||
        !datum_object_get(work, key, BYTES_LITERAL("end"), to, &has_end))
        return false;
    return (has_start && has_end) || not_a_slice(work);
}

bool path_index(struct work *work, struct datum target, struct datum key, struct datum *value_out)
{
    struct datum from;
    struct datum to;
    bool is_found;
    if (target.kind == DATUM_OBJECT && key.kind == DATUM_STRING)
        return datum_object_get(work, target, datum_bytes(key), value_out, &is_found);
    if (target.kind == DATUM_ARRAY && datum_is_number(key))
        return index_array(work, target, key, value_out);
    if (key.kind == DATUM_OBJECT && (target.kind == DATUM_ARRAY || target.kind == DATUM_STRING))
        return slice_bounds(work, key, &from, &to) && path_slice(work, target, from, to, value_out);
    if (target.kind == DATUM_ARRAY && key.kind == DATUM_ARRAY)
        return path_indices(work, target, key, value_out);
    if (target.kind != DATUM_NULL ||
        (key.kind != DATUM_STRING && key.kind != DATUM_OBJECT && !datum_is_number(key)))
        return cannot_index(work, target, key);
    *value_out = datum_null();
    return true;
}

/* A bound of a slice within 0..count; null is the default. Starts round down, ends round up. */
static bool bound_of(struct work *work, struct datum bound, uint32_t count, bool is_end,
                     uint32_t *bound_out)
{
    if (bound.kind == DATUM_NULL) {
        *bound_out = is_end ? count : 0;
        return true;
    }
    if (!datum_is_number(bound))
        return not_a_slice(work);
    double place = number_is_nan(bound) ? (is_end ? count : 0) : number_real(bound);
    if (place < 0)
        place += count;
    place = is_end ? ceil(place) : floor(place);
    *bound_out = place <= 0 ? 0 : place >= count ? count : (uint32_t)place;
    return true;
}

static bool bounds_of(struct work *work, struct datum from, struct datum to, uint32_t count,
                      uint32_t *begin, uint32_t *end)
{
    if (!bound_of(work, from, count, false, begin) || !bound_of(work, to, count, true, end))
        return false;
    if (*end < *begin)
        *end = *begin;
    return true;
}

static bool slice_string(struct work *work, struct datum string, struct datum from, struct datum to,
                         struct datum *part_out)
{
    const struct bytes text = datum_bytes(string);
    uint32_t count;
    uint32_t begin;
    uint32_t end;
    size_t begin_offset;
    size_t end_offset;
    if (!text_rune_count(work, text, &count) || !bounds_of(work, from, to, count, &begin, &end) ||
        !text_rune_offset(work, text, begin, &begin_offset) ||
        !text_rune_offset(work, text, end, &end_offset))
        return false;
    *part_out = datum_text(bytes_of(text.data + begin_offset, end_offset - begin_offset));
    return true;
}

bool path_slice(struct work *work, struct datum target, struct datum from, struct datum to,
                struct datum *part_out)
{
    uint32_t begin;
    uint32_t end;
    if (target.kind == DATUM_NULL) {
        *part_out = datum_null();
        return true;
    }
    if (target.kind == DATUM_STRING)
        return slice_string(work, target, from, to, part_out);
    if (target.kind != DATUM_ARRAY)
        return work_fail(work, "Cannot index %t with object", &target);
    return bounds_of(work, from, to, datum_count(target), &begin, &end) &&
           datum_array_part(work, target, begin, end, part_out);
}

bool path_slice_key(struct work *work, struct datum from, struct datum to, struct datum *key_out)
{
    return datum_object_new(work, 2, key_out) &&
           datum_object_put(work, key_out, datum_text(BYTES_LITERAL("start")), from) &&
           datum_object_put(work, key_out, datum_text(BYTES_LITERAL("end")), to);
}

static bool occurs_at(struct work *work, struct datum target, struct datum key, uint32_t place,
                      bool *occurs_out)
{
    *occurs_out = true;
    for (uint32_t i = 0; i < key.size && *occurs_out; i++) {
        if (!datum_equal(work, target.items->at[place + i], key.items->at[i], occurs_out))
            return false;
    }
    return true;
}

static bool indices_in_array(struct work *work, struct datum target, struct datum key,
                             struct datum *places_out)
{
    if (!datum_open(work, target, &target) || !datum_open(work, key, &key))
        return false;
    for (uint32_t i = 0; key.size > 0 && i + key.size <= target.size; i++) {
        bool occurs;
        if (!occurs_at(work, target, key, i, &occurs))
            return false;
        if (occurs && !datum_array_push(work, places_out, datum_integer(i)))
            return false;
    }
    return true;
}

static bool indices_in_string(struct work *work, struct bytes target, struct bytes key,
                              struct datum *places_out)
{
    int64_t rune = 0;
    for (size_t i = 0; i < target.size && key.size > 0; i++) {
        const struct bytes rest = bytes_of(target.data + i, target.size - i);
        if ((target.data[i] & 0xc0) == 0x80)
            continue;
        if (bytes_have_prefix(rest, key) &&
            !datum_array_push(work, places_out, datum_integer(rune)))
            return false;
        rune++;
    }
    return work_charge_elements(work, target.size);
}

bool path_indices(struct work *work, struct datum target, struct datum key,
                  struct datum *places_out)
{
    if (target.kind == DATUM_NULL) {
        *places_out = datum_null();
        return true;
    }
    const bool is_string = target.kind == DATUM_STRING && key.kind == DATUM_STRING;
    if (!is_string && target.kind != DATUM_ARRAY)
        return path_index(work, target, key, places_out);
    struct datum wanted = key;
    struct datum places;
    if (!datum_array_new(work, 0, &places))
        return false;
    if (!is_string && key.kind != DATUM_ARRAY &&
        (!datum_array_new(work, 1, &wanted) || !datum_array_push(work, &wanted, key)))
        return false;
    const bool is_done =
        is_string ? indices_in_string(work, datum_bytes(target), datum_bytes(key), &places)
                  : indices_in_array(work, target, wanted, &places);
    if (is_done)
        *places_out = places;
    return is_done;
}

bool path_get(struct work *work, struct datum target, struct datum path, struct datum *value_out)
{
    if (path.kind != DATUM_ARRAY)
        return work_fail(work, "Path must be specified as an array");
    if (!datum_open(work, path, &path))
        return false;
    for (uint32_t i = 0; i < path.size; i++) {
        if (target.kind == DATUM_NULL)
            break;
        if (!path_index(work, target, path.items->at[i], &target))
            return false;
    }
    *value_out = target;
    return true;
}

static bool append_part(struct work *work, struct datum *array, struct datum from, uint32_t begin,
                        uint32_t end)
{
    for (uint32_t i = begin; i < end; i++) {
        if (!datum_array_push(work, array, from.items->at[i]))
            return false;
    }
    return true;
}

static bool set_slice(struct work *work, struct datum target, struct datum key, struct datum value,
                      struct datum *changed_out)
{
    struct datum from;
    struct datum to;
    uint32_t begin;
    uint32_t end;
    struct datum changed;
    if (value.kind != DATUM_ARRAY)
        return work_fail(work, "A slice of an array can only be assigned another array");
    if (!datum_array_new(work, datum_count(value), &changed))
        return false;
    if (target.kind == DATUM_NULL)
        target = changed;
    if (!datum_open(work, target, &target) || !datum_open(work, value, &value) ||
        !slice_bounds(work, key, &from, &to) ||
        !bounds_of(work, from, to, target.size, &begin, &end) ||
        !append_part(work, &changed, target, 0, begin) ||
        !append_part(work, &changed, value, 0, value.size) ||
        !append_part(work, &changed, target, end, target.size))
        return false;
    *changed_out = changed;
    return true;
}

static bool set_element(struct work *work, struct datum target, struct datum key,
                        struct datum value, uint32_t edit, struct datum *changed_out)
{
    int64_t place;
    if (target.kind == DATUM_NULL && !datum_array_new(work, 0, &target))
        return false;
    if (!place_of(key, datum_count(target), &place))
        return work_fail(work, "Cannot set array element at NaN index");
    if (place < 0)
        return work_fail(work, "Out of bounds negative array index");
    if (place >= UINT32_MAX)
        return work_limit(work, "an array grows too long");
    *changed_out = target;
    return datum_array_edit(work, changed_out, (uint32_t)place, value, edit);
}

static bool set_key(struct work *work, struct datum target, struct datum key, struct datum value,
                    uint32_t edit, struct datum *changed_out)
{
    const bool is_null = target.kind == DATUM_NULL;
    if (key.kind == DATUM_STRING && (is_null || target.kind == DATUM_OBJECT)) {
        if (is_null && !datum_object_new(work, 1, &target))
            return false;
        *changed_out = target;
        return datum_object_edit(work, changed_out, key, value, edit);
    }
    if (datum_is_number(key) && (is_null || target.kind == DATUM_ARRAY))
        return set_element(work, target, key, value, edit, changed_out);
    if (key.kind == DATUM_OBJECT && (is_null || target.kind == DATUM_ARRAY))
        return set_slice(work, target, key, value, changed_out);
    if (key.kind == DATUM_OBJECT)
        return work_fail(work, "Cannot update field at object index of %t", &target);
    if (key.kind == DATUM_ARRAY && target.kind == DATUM_ARRAY)
        return work_fail(work, "Cannot update field at array index of array");
    return cannot_index(work, target, key);
}

/* What one assignment puts where. */
struct assignment {
    struct datum path; /* opened */
    struct datum value;
    uint32_t edit;
};

static bool set_from(struct work *work, struct datum target, const struct assignment *assignment,
                     uint32_t depth, struct datum *changed_out)
{
    struct datum inner;
    if (depth == assignment->path.size) {
        *changed_out = assignment->value;
        return true;
    }
    const struct datum key = assignment->path.items->at[depth];
    return path_index(work, target, key, &inner) &&
           set_from(work, inner, assignment, depth + 1, &inner) &&
           set_key(work, target, key, inner, assignment->edit, changed_out);
}

/* What a path reaches nests as deep as the path is long. */
static bool path_is_short(struct work *work, struct datum path)
{
    return path.size <= DATUM_DEPTH_MAX || work_limit(work, "a path is too long");
}

bool path_edit(struct work *work, struct datum target, struct datum path, struct datum value,
               uint32_t edit, struct datum *changed_out)
{
    struct assignment assignment = {.value = value, .edit = edit};
    if (path.kind != DATUM_ARRAY)
        return work_fail(work, "Path must be specified as an array");
    return datum_open(work, path, &assignment.path) && path_is_short(work, assignment.path) &&
           set_from(work, target, &assignment, 0, changed_out);
}

bool path_set(struct work *work, struct datum target, struct datum path, struct datum value,
              struct datum *changed_out)
{
    return path_edit(work, target, path, value, 0, changed_out);
}

static bool delete_entries(struct work *work, struct datum *object, const struct datum *keys)
{
    for (uint32_t i = 0; i < keys->size; i++) {
        const struct datum key = keys->items->at[i];
        if (key.kind != DATUM_STRING)
            return work_fail(work, "Cannot delete field at object index of %t", &key);
        if (!datum_object_remove(work, object, datum_bytes(key)))
            return false;
    }
    return true;
}

static bool mark_deleted(struct work *work, bool *is_deleted, uint32_t count, struct datum key)
{
    struct datum from;
    struct datum to;
    uint32_t begin;
    uint32_t end;
    int64_t place;
    if (datum_is_number(key)) {
        if (place_of(key, count, &place) && place >= 0 && place < count)
            is_deleted[place] = true;
        return true;
    }
    if (key.kind != DATUM_OBJECT)
        return work_fail(work, "Cannot delete field at array index of array");
    if (!slice_bounds(work, key, &from, &to) || !bounds_of(work, from, to, count, &begin, &end))
        return false;
    for (uint32_t i = begin; i < end; i++)
        is_deleted[i] = true;
    return work_charge_elements(work, end - begin);
}

static bool delete_elements(struct work *work, struct datum *array, const struct datum *keys)
{
    struct datum rest;
    bool *is_deleted = work_alloc_charged(work, array->size + 1);
    if (is_deleted == NULL || !datum_array_new(work, array->size, &rest))
        return false;
    for (uint32_t i = 0; i < keys->size; i++) {
        if (!mark_deleted(work, is_deleted, array->size, keys->items->at[i]))
            return false;
    }
    for (uint32_t i = 0; i < array->size; i++) {
        if (!is_deleted[i] && !datum_array_push(work, &rest, array->items->at[i]))
            return false;
    }
    *array = rest;
    return true;
}

static bool delete_keys(struct work *work, struct datum *target, const struct datum *keys)
{
    if (target->kind == DATUM_NULL || keys->size == 0)
        return true;
    if (!datum_open(work, *target, target))
        return false;
    if (target->kind == DATUM_OBJECT)
        return delete_entries(work, target, keys);
    if (target->kind == DATUM_ARRAY)
        return delete_elements(work, target, keys);
    return work_fail(work, "Cannot delete fields from %t", target);
}

/* The paths begin..end of a sorted array share their first `depth` keys. */
static bool delete_sorted(struct work *work, struct datum *target, struct datum paths,
                          uint32_t begin, uint32_t end, uint32_t depth);

/* The paths from begin on that go on with the same key. */
static bool same_key(struct work *work, struct datum paths, uint32_t begin, uint32_t end,
                     uint32_t depth, uint32_t *same_end_out)
{
    const struct datum key = paths.items->at[begin].items->at[depth];
    bool is_same = true;
    uint32_t at = begin + 1;
    for (; at < end; at++) {
        if (!datum_equal(work, key, paths.items->at[at].items->at[depth], &is_same))
            return false;
        if (!is_same)
            break;
    }
    *same_end_out = at;
    return true;
}

static bool delete_inside(struct work *work, struct datum *target, struct datum paths,
                          uint32_t begin, uint32_t end, uint32_t depth)
{
    const struct datum key = paths.items->at[begin].items->at[depth];
    struct datum inner;
    if (!path_index(work, *target, key, &inner))
        return false;
    return inner.kind == DATUM_NULL || (delete_sorted(work, &inner, paths, begin, end, depth + 1) &&
                                        set_key(work, *target, key, inner, 0, target));
}

static bool delete_sorted(struct work *work, struct datum *target, struct datum paths,
                          uint32_t begin, uint32_t end, uint32_t depth)
{
    struct datum keys;
    if (!datum_array_new(work, 0, &keys))
        return false;
    for (uint32_t next; begin < end; begin = next) {
        const struct datum path = paths.items->at[begin];
        if (!same_key(work, paths, begin, end, depth, &next))
            return false;
        const bool is_done = path.size == depth + 1
                                 ? datum_array_push(work, &keys, path.items->at[depth])
                                 : delete_inside(work, target, paths, begin, next, depth);
        if (!is_done)
            return false;
    }
    return delete_keys(work, target, &keys);
}

/* The paths, each opened, in jq's order. */
static bool sorted_paths(struct work *work, struct datum paths, struct datum *sorted_out)
{
    struct datum sorted;
    const struct datum **order = work_alloc_charged(work, (paths.size + 1) * sizeof *order);
    struct datum *opened = work_alloc_charged(work, (paths.size + 1) * sizeof *opened);
    if (order == NULL || opened == NULL || !datum_array_new(work, paths.size, &sorted))
        return false;
    for (uint32_t i = 0; i < paths.size; i++) {
        if (paths.items->at[i].kind != DATUM_ARRAY)
            return work_fail(work, "Path must be specified as an array");
        if (!datum_open(work, paths.items->at[i], &opened[i]) || !path_is_short(work, opened[i]))
            return false;
        order[i] = &opened[i];
    }
    if (!datum_sort(work, order, paths.size))
        return false;
    for (uint32_t i = 0; i < paths.size; i++) {
        if (!datum_array_push(work, &sorted, *order[i]))
            return false;
    }
    *sorted_out = sorted;
    return true;
}

bool path_delete(struct work *work, struct datum target, struct datum paths,
                 struct datum *changed_out)
{
    if (paths.kind != DATUM_ARRAY)
        return work_fail(work, "Paths must be specified as an array");
    if (!datum_open(work, paths, &paths) || !sorted_paths(work, paths, &paths))
        return false;
    if (paths.size > 0 && paths.items->at[0].size == 0) {
        *changed_out = datum_null();
        return true;
    }
    *changed_out = target;
    return delete_sorted(work, changed_out, paths, 0, paths.size, 0);
}
