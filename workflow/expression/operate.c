#include "workflow/expression/operate.h"

#include "workflow/expression/number.h"
#include "workflow/expression/text.h"

static bool both(struct datum a, struct datum b, enum datum_kind kind)
{
    return a.kind == kind && b.kind == kind;
}

static bool both_numbers(struct datum a, struct datum b)
{
    return datum_is_number(a) && datum_is_number(b);
}

static bool concatenate(struct work *work, struct datum a, struct datum b, struct datum *sum_out)
{
    struct text text = {.work = work};
    text_append(&text, datum_bytes(a));
    text_append(&text, datum_bytes(b));
    return text_take(&text, sum_out);
}

static bool join_arrays(struct work *work, struct datum a, struct datum b, struct datum *sum_out)
{
    struct datum sum = a;
    if (!datum_open(work, b, &b))
        return false;
    for (uint32_t i = 0; i < b.size; i++) {
        if (!datum_array_push(work, &sum, b.items->at[i]))
            return false;
    }
    *sum_out = sum;
    return true;
}

static bool join_objects(struct work *work, struct datum a, struct datum b, struct datum *sum_out)
{
    struct datum sum = a;
    if (!datum_open(work, b, &b))
        return false;
    for (uint32_t i = 0; i < b.size; i++) {
        if (!datum_object_put(work, &sum, b.entries->at[i].key, b.entries->at[i].value))
            return false;
    }
    *sum_out = sum;
    return true;
}

bool operate_add(struct work *work, struct datum a, struct datum b, struct datum *sum_out)
{
    if (a.kind == DATUM_NULL || b.kind == DATUM_NULL) {
        *sum_out = a.kind == DATUM_NULL ? b : a;
        return true;
    }
    if (both_numbers(a, b)) {
        *sum_out = number_add(a, b);
        return true;
    }
    if (both(a, b, DATUM_STRING))
        return concatenate(work, a, b, sum_out);
    if (both(a, b, DATUM_ARRAY))
        return join_arrays(work, a, b, sum_out);
    if (both(a, b, DATUM_OBJECT))
        return join_objects(work, a, b, sum_out);
    return work_fail(work, "%v and %v cannot be added", &a, &b);
}

static bool is_member(struct work *work, struct datum array, struct datum element,
                      bool *is_member_out)
{
    *is_member_out = false;
    for (uint32_t i = 0; i < array.size && !*is_member_out; i++) {
        if (!datum_equal(work, array.items->at[i], element, is_member_out))
            return false;
    }
    return true;
}

static bool difference(struct work *work, struct datum a, struct datum b, struct datum *rest_out)
{
    struct datum rest;
    if (!datum_open(work, a, &a) || !datum_open(work, b, &b) ||
        !datum_array_new(work, a.size, &rest))
        return false;
    for (uint32_t i = 0; i < a.size; i++) {
        bool is_taken;
        if (!is_member(work, b, a.items->at[i], &is_taken) ||
            (!is_taken && !datum_array_push(work, &rest, a.items->at[i])))
            return false;
    }
    *rest_out = rest;
    return true;
}

static bool subtract(struct work *work, struct datum a, struct datum b, struct datum *rest_out)
{
    if (both_numbers(a, b)) {
        *rest_out = number_subtract(a, b);
        return true;
    }
    if (both(a, b, DATUM_ARRAY))
        return difference(work, a, b, rest_out);
    return work_fail(work, "%v and %v cannot be subtracted", &a, &b);
}

/* 0.5 times is once, none and less is null. */
static bool repeat(struct work *work, struct datum string, struct datum times,
                   struct datum *product_out)
{
    const double real = number_real(times);
    struct text text = {.work = work};
    if (!(real > 0)) {
        *product_out = datum_null();
        return true;
    }
    text_append(&text, datum_bytes(string));
    /* What is there already is appended again as long as it fits twice. */
    for (int64_t left = number_clamp(times) - 1; left > 0 && string.size > 0 && !text.is_failed;) {
        const int64_t there = (int64_t)(text.size / string.size);
        const int64_t more = there < left ? there : left;
        text_append(&text, bytes_of(text.data, (size_t)more * string.size));
        left -= more;
    }
    return text_take(&text, product_out);
}

/* Objects within objects are merged, everything else of b replaces what a has. */
static bool merge(struct work *work, struct datum a, struct datum b, struct datum *merged_out)
{
    struct datum merged = a;
    if (!datum_open(work, b, &b))
        return false;
    for (uint32_t i = 0; i < b.size; i++) {
        const struct datum key = b.entries->at[i].key;
        struct datum value = b.entries->at[i].value;
        struct datum old;
        bool is_found;
        if (!datum_object_get(work, merged, datum_bytes(key), &old, &is_found))
            return false;
        if (both(old, value, DATUM_OBJECT) && !merge(work, old, value, &value))
            return false;
        if (!datum_object_put(work, &merged, key, value))
            return false;
    }
    *merged_out = merged;
    return true;
}

static bool multiply(struct work *work, struct datum a, struct datum b, struct datum *product_out)
{
    if (both_numbers(a, b)) {
        *product_out = number_multiply(a, b);
        return true;
    }
    if (a.kind == DATUM_STRING && datum_is_number(b))
        return repeat(work, a, b, product_out);
    if (datum_is_number(a) && b.kind == DATUM_STRING)
        return repeat(work, b, a, product_out);
    if (both(a, b, DATUM_OBJECT))
        return merge(work, a, b, product_out);
    return work_fail(work, "%v and %v cannot be multiplied", &a, &b);
}

static size_t find(struct bytes text, size_t from, struct bytes wanted)
{
    while (from + wanted.size <= text.size &&
           memcmp(text.data + from, wanted.data, wanted.size) != 0)
        from++;
    return from + wanted.size <= text.size ? from : text.size;
}

static bool split_runes(struct work *work, struct bytes text, struct datum *parts_out)
{
    for (size_t at = 0; at < text.size;) {
        uint32_t rune;
        const size_t size = text_rune(bytes_of(text.data + at, text.size - at), &rune);
        if (!datum_array_push(work, parts_out, datum_text(bytes_of(text.data + at, size))))
            return false;
        at += size;
    }
    return true;
}

bool operate_split(struct work *work, struct bytes text, struct bytes separator,
                   struct datum *parts_out)
{
    struct datum parts;
    if (!datum_array_new(work, 0, &parts) || !work_charge_elements(work, text.size))
        return false;
    *parts_out = parts;
    if (text.size == 0)
        return true;
    if (separator.size == 0)
        return split_runes(work, text, parts_out);
    for (size_t begin = 0;;) {
        const size_t end = find(text, begin, separator);
        const struct bytes part = bytes_of(text.data + begin, end - begin);
        if (!datum_array_push(work, parts_out, datum_text(part)))
            return false;
        if (end == text.size)
            return true;
        begin = end + separator.size;
        if (begin == text.size)
            return datum_array_push(work, parts_out, datum_text(BYTES_LITERAL("")));
    }
}

static bool divide(struct work *work, struct datum a, struct datum b, struct datum *quotient_out)
{
    if (both(a, b, DATUM_STRING))
        return operate_split(work, datum_bytes(a), datum_bytes(b), quotient_out);
    if (!both_numbers(a, b))
        return work_fail(work, "%v and %v cannot be divided", &a, &b);
    if (number_real(b) == 0)
        return work_fail(work, "%v and %v cannot be divided because the divisor is zero", &a, &b);
    *quotient_out = number_divide(a, b);
    return true;
}

static bool remainder_of(struct work *work, struct datum a, struct datum b, struct datum *rest_out)
{
    if (!both_numbers(a, b))
        return work_fail(work, "%v and %v cannot be divided", &a, &b);
    return number_remainder(a, b, rest_out) ||
           work_fail(work, "%v and %v cannot be divided (remainder) because the divisor is zero",
                     &a, &b);
}

static bool order_fits(enum operation operation, int order)
{
    if (operation == OPERATE_LESS)
        return order < 0;
    if (operation == OPERATE_LESS_EQUAL)
        return order <= 0;
    if (operation == OPERATE_GREATER)
        return order > 0;
    return order >= 0;
}

bool operate(struct work *work, enum operation operation, struct datum left, struct datum right,
             struct datum *result_out)
{
    bool is_equal;
    int order;
    switch (operation) {
    case OPERATE_ADD:
        return operate_add(work, left, right, result_out);
    case OPERATE_SUBTRACT:
        return subtract(work, left, right, result_out);
    case OPERATE_MULTIPLY:
        return multiply(work, left, right, result_out);
    case OPERATE_DIVIDE:
        return divide(work, left, right, result_out);
    case OPERATE_REMAINDER:
        return remainder_of(work, left, right, result_out);
    case OPERATE_EQUAL:
    case OPERATE_UNEQUAL:
        if (!datum_equal(work, left, right, &is_equal))
            return false;
        *result_out = datum_bool(is_equal == (operation == OPERATE_EQUAL));
        return true;
    case OPERATE_LESS:
    case OPERATE_LESS_EQUAL:
    case OPERATE_GREATER:
    case OPERATE_GREATER_EQUAL:
        if (!datum_compare(work, left, right, &order))
            return false;
        *result_out = datum_bool(order_fits(operation, order));
        return true;
    }
    return false;
}
