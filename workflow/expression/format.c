/* Formats: @csv and the others, alone and around the parts of a string. */
#include "workflow/expression/builtin.h"
#include "workflow/expression/number.h"

static void append_replaced(struct text *text, struct bytes bytes, const char *from,
                            const char *const *to)
{
    size_t begin = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        const char *found = bytes.data[i] != 0 ? strchr(from, bytes.data[i]) : NULL;
        if (found == NULL)
            continue;
        text_append(text, bytes_of(bytes.data + begin, i - begin));
        text_append(text, bytes_string(to[found - from]));
        begin = i + 1;
    }
    text_append(text, bytes_of(bytes.data + begin, bytes.size - begin));
}

/* A cell of a row; true unless it cannot be one. */
static bool append_cell(struct text *text, struct datum cell, const char *from,
                        const char *const *to, const char *quote)
{
    if (cell.kind >= DATUM_BINARY)
        return false;
    if (cell.kind == DATUM_NULL)
        return true;
    if (cell.kind != DATUM_STRING) {
        text_append_plain(text, cell);
        return true;
    }
    text_append(text, bytes_string(quote));
    append_replaced(text, datum_bytes(cell), from, to);
    text_append(text, bytes_string(quote));
    return true;
}

static bool append_csv(struct text *text, struct datum row)
{
    static const char *const quotes[] = {"\"\""};
    if (row.kind != DATUM_ARRAY)
        return work_fail(text->work, "%v cannot be csv-formatted, only array", &row);
    if (!datum_open(text->work, row, &row))
        return false;
    for (uint32_t i = 0; i < row.size; i++) {
        if (i > 0)
            text_append_byte(text, ',');
        if (!append_cell(text, row.items->at[i], "\"", quotes, "\""))
            return work_fail(text->work, "%v is not valid in a csv row", &row.items->at[i]);
    }
    return true;
}

static bool append_tsv(struct text *text, struct datum row)
{
    static const char *const escapes[] = {"\\t", "\\n", "\\r", "\\\\"};
    if (row.kind != DATUM_ARRAY)
        return work_fail(text->work, "%v cannot be tsv-formatted, only array", &row);
    if (!datum_open(text->work, row, &row))
        return false;
    for (uint32_t i = 0; i < row.size; i++) {
        if (i > 0)
            text_append_byte(text, '\t');
        if (!append_cell(text, row.items->at[i], "\t\n\r\\", escapes, ""))
            return work_fail(text->work, "%v is not valid in a tsv row", &row.items->at[i]);
    }
    return true;
}

static void append_html(struct text *text, struct bytes bytes)
{
    static const char *const entities[] = {"&lt;", "&gt;", "&amp;", "&apos;", "&quot;"};
    append_replaced(text, bytes, "<>&'\"", entities);
}

static bool is_unreserved(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') || byte == '-' || byte == '_' || byte == '.' || byte == '~';
}

static void append_uri(struct text *text, struct bytes bytes)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < bytes.size; i++) {
        const uint8_t byte = bytes.data[i];
        const uint8_t escape[3] = {'%', (uint8_t)digits[byte >> 4], (uint8_t)digits[byte & 15]};
        text_append(text, is_unreserved(byte) ? bytes_of(&byte, 1) : bytes_of(escape, 3));
    }
}

static bool append_sh_word(struct text *text, struct datum word)
{
    static const char *const quotes[] = {"'\\''"};
    if (word.kind >= DATUM_BINARY)
        return work_fail(text->work, "%v can not be escaped for shell", &word);
    if (word.kind != DATUM_STRING) {
        text_append_plain(text, word);
        return true;
    }
    text_append_byte(text, '\'');
    append_replaced(text, datum_bytes(word), "'", quotes);
    text_append_byte(text, '\'');
    return true;
}

static bool append_sh(struct text *text, struct datum words)
{
    if (words.kind != DATUM_ARRAY)
        return append_sh_word(text, words);
    if (!datum_open(text->work, words, &words))
        return false;
    for (uint32_t i = 0; i < words.size; i++) {
        if (i > 0)
            text_append_byte(text, ' ');
        if (!append_sh_word(text, words.items->at[i]))
            return false;
    }
    return true;
}

/* Five bits a digit, filled up with = to a multiple of eight digits. */
static void append_base32(struct text *text, struct bytes bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint32_t bits = 0;
    uint32_t bit_count = 0;
    size_t digit_count = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        bits = bits << 8 | bytes.data[i];
        for (bit_count += 8; bit_count >= 5; bit_count -= 5, digit_count++)
            text_append_byte(text, (uint8_t)digits[bits >> (bit_count - 5) & 31]);
    }
    if (bit_count > 0) {
        text_append_byte(text, (uint8_t)digits[bits << (5 - bit_count) & 31]);
        digit_count++;
    }
    for (; digit_count % 8 != 0; digit_count++)
        text_append_byte(text, '=');
}

static int digit64(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A';
    if (byte >= 'a' && byte <= 'z')
        return byte - 'a' + 26;
    if (byte >= '0' && byte <= '9')
        return byte - '0' + 52;
    return byte == '+' ? 62 : byte == '/' ? 63 : -1;
}

static int digit32(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return byte - 'A';
    return byte >= '2' && byte <= '7' ? byte - '2' + 26 : -1;
}

/* Decoded bytes as text: what is not UTF-8 becomes U+FFFD. */
static void append_decoded(struct text *text, struct bytes decoded)
{
    while (decoded.size > 0) {
        size_t size = 1;
        while (size <= 4 && size <= decoded.size && !utf8_is_valid(bytes_of(decoded.data, size)))
            size++;
        const bool is_rune = size <= 4 && size <= decoded.size;
        text_append(text, is_rune ? bytes_of(decoded.data, size) : BYTES_LITERAL("\xef\xbf\xbd"));
        size = is_rune ? size : 1;
        decoded = bytes_of(decoded.data + size, decoded.size - size);
    }
}

/* Digits of `width` bits up to the padding. False: a byte that is no digit, or too few of them. */
static bool decode(struct text *text, struct bytes bytes, int (*digit)(uint8_t), uint32_t width)
{
    uint8_t *decoded = work_alloc_charged(text->work, bytes.size + 1);
    size_t size = 0;
    uint32_t bits = 0;
    uint32_t bit_count = 0;
    if (decoded == NULL || !work_charge_elements(text->work, bytes.size))
        return false;
    while (bytes.size > 0 && bytes.data[bytes.size - 1] == '=')
        bytes.size--;
    for (size_t i = 0; i < bytes.size; i++) {
        const int value = digit(bytes.data[i]);
        if (value < 0)
            return false;
        bits = bits << width | (uint32_t)value;
        bit_count += width;
        if (bit_count < 8)
            continue;
        bit_count -= 8;
        decoded[size++] = (uint8_t)(bits >> bit_count);
    }
    if (bytes.size > 0 && size == 0)
        return false;
    append_decoded(text, bytes_of(decoded, size));
    return true;
}

static bool append_base64_decoded(struct text *text, struct datum string)
{
    if (decode(text, datum_bytes(string), digit64, 6))
        return true;
    return text->work->failure == PAWL_OK &&
           work_fail(text->work, "%v is not valid base64 data", &string);
}

static bool append_base32_decoded(struct text *text, struct datum string)
{
    if (decode(text, datum_bytes(string), digit32, 5))
        return true;
    return text->work->failure == PAWL_OK &&
           work_fail(text->work, "%v is not valid base32 data", &string);
}

/* The formats of a text. */
static bool append_encoded(struct text *text, enum format format, struct datum string)
{
    switch (format) {
    case FORMAT_HTML:
        append_html(text, datum_bytes(string));
        return true;
    case FORMAT_URI:
        append_uri(text, datum_bytes(string));
        return true;
    case FORMAT_BASE64:
        text_append_base64(text, datum_bytes(string));
        return true;
    case FORMAT_BASE64D:
        return append_base64_decoded(text, string);
    case FORMAT_BASE32:
        append_base32(text, datum_bytes(string));
        return true;
    case FORMAT_BASE32D:
        return append_base32_decoded(text, string);
    case FORMAT_TEXT:
    case FORMAT_JSON:
    case FORMAT_CSV:
    case FORMAT_TSV:
    case FORMAT_SH:
        break;
    }
    text_append_plain(text, string);
    return true;
}

bool format_append(struct text *text, enum format format, struct datum datum)
{
    struct datum string;
    if (format == FORMAT_CSV)
        return append_csv(text, datum);
    if (format == FORMAT_TSV)
        return append_tsv(text, datum);
    if (format == FORMAT_SH)
        return append_sh(text, datum);
    if (format == FORMAT_JSON) {
        text_append_json(text, datum);
        return !text->is_failed;
    }
    return value_tostring(text->work, datum, NULL, &string) && append_encoded(text, format, string);
}
