/* Strings, without regular expressions. */
#include "workflow/expression/builtin.h"
#include "workflow/expression/number.h"
#include "workflow/expression/operate.h"

static bool map_ascii(struct work *work, struct datum input, uint8_t first, uint8_t last,
                      struct datum *output_out)
{
    uint8_t *mapped = work_alloc_charged(work, (size_t)input.size + 1);
    if (mapped == NULL)
        return false;
    for (uint32_t i = 0; i < input.size; i++) {
        const bool is_mapped = input.text[i] >= first && input.text[i] <= last;
        mapped[i] = is_mapped ? input.text[i] ^ 0x20 : input.text[i];
    }
    *output_out = datum_text(bytes_of(mapped, input.size));
    return true;
}

bool string_ascii_downcase(struct work *work, struct datum input, const struct datum *arguments,
                           struct datum *output_out)
{
    (void)arguments;
    if (input.kind != DATUM_STRING)
        return work_fail(work, "ascii_downcase input must be a string");
    return map_ascii(work, input, 'A', 'Z', output_out);
}

bool string_ascii_upcase(struct work *work, struct datum input, const struct datum *arguments,
                         struct datum *output_out)
{
    (void)arguments;
    if (input.kind != DATUM_STRING)
        return work_fail(work, "ascii_upcase input must be a string");
    return map_ascii(work, input, 'a', 'z', output_out);
}

static bool is_space(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool trim(struct work *work, struct datum input, bool at_start, bool at_end,
                 struct datum *output_out)
{
    if (input.kind != DATUM_STRING)
        return work_fail(work, "trim input must be a string");
    struct bytes text = datum_bytes(input);
    while (at_start && text.size > 0 && is_space(text.data[0]))
        text = bytes_of(text.data + 1, text.size - 1);
    while (at_end && text.size > 0 && is_space(text.data[text.size - 1]))
        text.size--;
    *output_out = datum_text(text);
    return work_charge_bytes(work, input.size - text.size);
}

bool string_trim(struct work *work, struct datum input, const struct datum *arguments,
                 struct datum *output_out)
{
    (void)arguments;
    return trim(work, input, true, true, output_out);
}

bool string_ltrim(struct work *work, struct datum input, const struct datum *arguments,
                  struct datum *output_out)
{
    (void)arguments;
    return trim(work, input, true, false, output_out);
}

bool string_rtrim(struct work *work, struct datum input, const struct datum *arguments,
                  struct datum *output_out)
{
    (void)arguments;
    return trim(work, input, false, true, output_out);
}

bool string_explode(struct work *work, struct datum input, const struct datum *arguments,
                    struct datum *output_out)
{
    struct datum runes;
    (void)arguments;
    if (input.kind != DATUM_STRING)
        return work_fail(work, "%v cannot be exploded", &input);
    if (!datum_array_new(work, 0, &runes))
        return false;
    for (struct bytes rest = datum_bytes(input); rest.size > 0;) {
        uint32_t rune;
        const size_t size = text_rune(rest, &rune);
        if (!datum_array_push(work, &runes, datum_integer(rune)))
            return false;
        rest = bytes_of(rest.data + size, rest.size - size);
    }
    *output_out = runes;
    return true;
}

bool string_implode(struct work *work, struct datum input, const struct datum *arguments,
                    struct datum *output_out)
{
    struct text text = {.work = work};
    (void)arguments;
    if (input.kind != DATUM_ARRAY)
        return work_fail(work, "implode input must be an array");
    if (!datum_open(work, input, &input))
        return false;
    for (uint32_t i = 0; i < input.size; i++) {
        const struct datum rune = input.items->at[i];
        if (!datum_is_number(rune))
            return work_fail(work, "%v can't be imploded, unicode codepoint needs to be numeric",
                             &rune);
        const int64_t code = number_clamp(rune);
        const bool is_surrogate = code >= 0xd800 && code < 0xe000;
        const bool is_wrong = code < 0 || code > 0x10ffff || is_surrogate;
        text_append_rune(&text, is_wrong ? 0xfffd : (uint32_t)code);
    }
    return text_take(&text, output_out) && work_charge_elements(work, input.size);
}

bool string_split(struct work *work, struct datum input, const struct datum *arguments,
                  struct datum *output_out)
{
    if (input.kind != DATUM_STRING || arguments[0].kind != DATUM_STRING)
        return work_fail(work, "split input and separator must be strings");
    return operate_split(work, datum_bytes(input), datum_bytes(arguments[0]), output_out);
}

/* null reads as empty; numbers and booleans as their text; nothing else joins. */
static bool join_part(struct text *text, struct datum part)
{
    if (part.kind == DATUM_NULL)
        return true;
    if (part.kind >= DATUM_ARRAY) {
        const struct datum so_far = datum_text(bytes_of(text->data, text->size));
        return work_fail(text->work, "%v and %v cannot be added", &so_far, &part);
    }
    text_append_plain(text, part);
    return true;
}

bool string_join(struct work *work, struct datum input, const struct datum *arguments,
                 struct datum *output_out)
{
    struct text text = {.work = work};
    const struct datum separator = arguments[0];
    if (input.kind < DATUM_ARRAY)
        return work_fail(work, "Cannot iterate over %v", &input);
    if (!datum_open(work, input, &input))
        return false;
    for (uint32_t i = 0; i < input.size; i++) {
        const struct datum so_far = datum_text(bytes_of(text.data, text.size));
        if (i > 0 && separator.kind != DATUM_STRING && separator.kind != DATUM_NULL)
            return work_fail(work, "%v and %v cannot be added", &so_far, &separator);
        if (i > 0 && separator.kind == DATUM_STRING)
            text_append(&text, datum_bytes(separator));
        if (!join_part(&text,
                       input.kind == DATUM_ARRAY ? input.items->at[i] : input.entries->at[i].value))
            return false;
    }
    return text_take(&text, output_out) && work_charge_elements(work, input.size);
}

static bool begins(struct bytes text, struct bytes part)
{
    return bytes_have_prefix(text, part);
}

static bool ends(struct bytes text, struct bytes part)
{
    return text.size >= part.size &&
           bytes_equal(bytes_of(text.data + text.size - part.size, part.size), part);
}

/* What is no string stays as it is. */
static void cut(struct datum *string, struct datum part, bool at_start, bool at_end)
{
    if (string->kind != DATUM_STRING || part.kind != DATUM_STRING)
        return;
    struct bytes text = datum_bytes(*string);
    if (at_start && begins(text, datum_bytes(part)))
        text = bytes_of(text.data + part.size, text.size - part.size);
    if (at_end && ends(text, datum_bytes(part)))
        text.size -= part.size;
    *string = datum_text(text);
}

bool string_ltrimstr(struct work *work, struct datum input, const struct datum *arguments,
                     struct datum *output_out)
{
    *output_out = input;
    cut(output_out, arguments[0], true, false);
    return work_charge_bytes(work, arguments[0].size);
}

bool string_rtrimstr(struct work *work, struct datum input, const struct datum *arguments,
                     struct datum *output_out)
{
    *output_out = input;
    cut(output_out, arguments[0], false, true);
    return work_charge_bytes(work, arguments[0].size);
}

bool string_trimstr(struct work *work, struct datum input, const struct datum *arguments,
                    struct datum *output_out)
{
    *output_out = input;
    cut(output_out, arguments[0], true, true);
    return work_charge_bytes(work, arguments[0].size);
}

bool string_startswith(struct work *work, struct datum input, const struct datum *arguments,
                       struct datum *output_out)
{
    if (input.kind != DATUM_STRING || arguments[0].kind != DATUM_STRING)
        return work_fail(work, "startswith() requires string inputs");
    *output_out = datum_bool(begins(datum_bytes(input), datum_bytes(arguments[0])));
    return work_charge_bytes(work, arguments[0].size);
}

bool string_endswith(struct work *work, struct datum input, const struct datum *arguments,
                     struct datum *output_out)
{
    if (input.kind != DATUM_STRING || arguments[0].kind != DATUM_STRING)
        return work_fail(work, "endswith() requires string inputs");
    *output_out = datum_bool(ends(datum_bytes(input), datum_bytes(arguments[0])));
    return work_charge_bytes(work, arguments[0].size);
}
