/* Values of any type: their type, length and text, and errors. */
#include "proto/json.h"
#include "workflow/expression/builtin.h"
#include "workflow/expression/number.h"

bool value_type(struct work *work, struct datum input, const struct datum *arguments,
                struct datum *output_out)
{
    (void)work, (void)arguments;
    *output_out = datum_text(bytes_string(datum_type(input)));
    return true;
}

bool value_not(struct work *work, struct datum input, const struct datum *arguments,
               struct datum *output_out)
{
    (void)work, (void)arguments;
    *output_out = datum_bool(!datum_is_truthy(input));
    return true;
}

bool value_length(struct work *work, struct datum input, const struct datum *arguments,
                  struct datum *output_out)
{
    uint32_t count = 0;
    if (input.kind == DATUM_FALSE || input.kind == DATUM_TRUE)
        return work_fail(work, "%v has no length", &input);
    if (datum_is_number(input))
        return math_abs(work, input, arguments, output_out);
    if (input.kind == DATUM_BINARY)
        count = input.size;
    else if (input.kind == DATUM_STRING && !text_rune_count(work, datum_bytes(input), &count))
        return false;
    else if (input.kind >= DATUM_ARRAY)
        count = datum_count(input);
    *output_out = datum_integer(count);
    return true;
}

bool value_utf8bytelength(struct work *work, struct datum input, const struct datum *arguments,
                          struct datum *output_out)
{
    (void)arguments;
    if (input.kind != DATUM_STRING)
        return work_fail(work, "%v only strings have UTF-8 byte length", &input);
    *output_out = datum_integer(input.size);
    return true;
}

bool value_tostring(struct work *work, struct datum input, const struct datum *arguments,
                    struct datum *output_out)
{
    struct text text = {.work = work};
    (void)arguments;
    if (input.kind == DATUM_STRING) {
        *output_out = input;
        return true;
    }
    text_append_plain(&text, input);
    return text_take(&text, output_out);
}

bool value_tonumber(struct work *work, struct datum input, const struct datum *arguments,
                    struct datum *output_out)
{
    (void)arguments;
    if (datum_is_number(input)) {
        *output_out = input;
        return true;
    }
    if (input.kind != DATUM_STRING || !number_parse(work->arena, datum_bytes(input), output_out))
        return work_fail(work, "%v cannot be parsed as a number", &input);
    return work_charge(work, WORK_UNITS_PER_REAL) && work_charge_bytes(work, input.size);
}

bool value_tojson(struct work *work, struct datum input, const struct datum *arguments,
                  struct datum *output_out)
{
    struct text text = {.work = work};
    (void)arguments;
    text_append_json(&text, input);
    return text_take(&text, output_out);
}

bool value_fromjson(struct work *work, struct datum input, const struct datum *arguments,
                    struct datum *output_out)
{
    /* "-0," is the text that grows most: nine bytes out of three. */
    enum { BYTES_PER_CHARACTER = 3, BYTES_MORE = 16 };
    struct pawl_diag diag = {.text = ""};
    (void)arguments;
    if (input.kind != DATUM_STRING)
        return work_fail(work, "%v only strings can be parsed", &input);
    const size_t capacity = (size_t)input.size * BYTES_PER_CHARACTER + BYTES_MORE;
    uint8_t *memory = work_alloc_charged(work, capacity);
    if (memory == NULL || !work_charge_elements(work, input.size))
        return false;
    struct buffer buffer = {.data = memory, .capacity = capacity, .limit = capacity};
    const enum pawl_error error = json_read(datum_bytes(input), NULL, &buffer, &diag);
    if (error == PAWL_E_LIMIT)
        return work_limit(work, "a JSON text is too large");
    if (error != PAWL_OK)
        return work_fail(work, "%s (while parsing '%a')", diag.text, &input);
    *output_out = datum_of_value(buffer_bytes(&buffer));
    return true;
}

bool value_error(struct work *work, struct datum input, const struct datum *arguments,
                 struct datum *output_out)
{
    (void)arguments, (void)output_out;
    return work_raise(work, input);
}

bool value_error_with(struct work *work, struct datum input, const struct datum *arguments,
                      struct datum *output_out)
{
    (void)input, (void)output_out;
    return work_raise(work, arguments[0]);
}

bool value_now(struct work *work, struct datum input, const struct datum *arguments,
               struct datum *output_out)
{
    (void)input, (void)arguments;
    *output_out = number_of_real((double)work->now_us / 1e6);
    return true;
}

bool value_toarray(struct work *work, struct datum input, const struct datum *arguments,
                   struct datum *output_out)
{
    (void)arguments;
    *output_out = input;
    return input.kind == DATUM_ARRAY ||
           (datum_array_new(work, 1, output_out) && datum_array_push(work, output_out, input));
}
