#include "workflow/expression/lexer.h"

#include "proto/value.h"

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_letter(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
}

static uint8_t peek(const struct lexer *lexer, uint32_t ahead)
{
    return lexer->at + ahead < lexer->text.size ? lexer->text.data[lexer->at + ahead] : 0;
}

static struct bytes taken(const struct lexer *lexer, uint32_t begin)
{
    return bytes_of(lexer->text.data + begin, lexer->at - begin);
}

/* A comment runs to the end of its line, over a newline behind an odd number of backslashes. */
static void skip_comment(struct lexer *lexer)
{
    bool is_escaped = false;
    for (; lexer->at < lexer->text.size; lexer->at++) {
        const uint8_t byte = peek(lexer, 0);
        if (byte == '\n' && !is_escaped)
            return;
        is_escaped = byte == '\\' ? !is_escaped : byte == '\r' && is_escaped;
    }
}

static void skip_space(struct lexer *lexer)
{
    for (;;) {
        const uint8_t byte = peek(lexer, 0);
        if (byte == '#')
            skip_comment(lexer);
        else if (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r')
            lexer->at++;
        else
            return;
    }
}

/* Names may be qualified: a::b. */
static struct bytes take_name(struct lexer *lexer)
{
    const uint32_t begin = lexer->at;
    for (;;) {
        while (is_letter(peek(lexer, 0)) || is_digit(peek(lexer, 0)))
            lexer->at++;
        if (peek(lexer, 0) != ':' || peek(lexer, 1) != ':' || !is_letter(peek(lexer, 2)))
            return taken(lexer, begin);
        lexer->at += 2;
    }
}

static struct bytes take_number(struct lexer *lexer)
{
    const uint32_t begin = lexer->at;
    while (is_digit(peek(lexer, 0)))
        lexer->at++;
    if (peek(lexer, 0) == '.')
        lexer->at++;
    while (is_digit(peek(lexer, 0)))
        lexer->at++;
    const uint32_t sign = peek(lexer, 1) == '+' || peek(lexer, 1) == '-' ? 1 : 0;
    if ((peek(lexer, 0) == 'e' || peek(lexer, 0) == 'E') && is_digit(peek(lexer, 1 + sign))) {
        lexer->at += 1 + sign;
        while (is_digit(peek(lexer, 0)))
            lexer->at++;
    }
    return taken(lexer, begin);
}

static struct bytes take_symbol(struct lexer *lexer)
{
    static const char *const symbols[] = {"?//", "//=", "//", "|=", "+=", "-=", "*=", "/=", "%=",
                                          "==",  "!=",  "<=", ">=", "..", "|",  ",",  "+",  "-",
                                          "*",   "/",   "%",  "=",  "<",  ">",  ".",  "(",  ")",
                                          "[",   "]",   "{",  "}",  ":",  ";",  "?"};
    const uint32_t begin = lexer->at;
    const struct bytes rest = bytes_of(lexer->text.data + begin, lexer->text.size - begin);
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols && lexer->at == begin; i++) {
        if (bytes_have_prefix(rest, bytes_string(symbols[i])))
            lexer->at += (uint32_t)strlen(symbols[i]);
    }
    /* ".a?//=1" assigns to an optional path. */
    if (bytes_have_prefix(rest, BYTES_LITERAL("?//=")))
        lexer->at = begin + 1;
    return taken(lexer, begin);
}

static struct token take_prefixed(struct lexer *lexer, enum token_kind kind)
{
    const uint32_t offset = lexer->at++;
    return (struct token){kind, take_name(lexer), offset};
}

struct token lexer_next(struct lexer *lexer)
{
    skip_space(lexer);
    const uint32_t offset = lexer->at;
    const uint8_t byte = peek(lexer, 0);
    const uint8_t next = peek(lexer, 1);
    if (offset >= lexer->text.size)
        return (struct token){TOKEN_END, {NULL, 0}, offset};
    if (byte == '"') {
        lexer->at++;
        return (struct token){TOKEN_QUOTE, taken(lexer, offset), offset};
    }
    if (byte == '.' && is_letter(next))
        return take_prefixed(lexer, TOKEN_FIELD);
    if (byte == '$' && is_letter(next))
        return take_prefixed(lexer, TOKEN_DOLLAR);
    if (byte == '@' && is_letter(next))
        return take_prefixed(lexer, TOKEN_FORMAT);
    if (is_letter(byte))
        return (struct token){TOKEN_NAME, take_name(lexer), offset};
    if (is_digit(byte) || (byte == '.' && is_digit(next)))
        return (struct token){TOKEN_NUMBER, take_number(lexer), offset};
    const struct bytes symbol = take_symbol(lexer);
    return (struct token){symbol.size > 0 ? TOKEN_SYMBOL : TOKEN_WRONG, symbol, offset};
}

static bool hex4(const struct lexer *lexer, uint32_t ahead, uint32_t *code_out)
{
    uint32_t code = 0;
    for (uint32_t i = 0; i < 4; i++) {
        const uint8_t digit = peek(lexer, ahead + i);
        if (is_digit(digit))
            code = code * 16 + digit - '0';
        else if ((digit | 32) >= 'a' && (digit | 32) <= 'f')
            code = code * 16 + (digit | 32u) - 'a' + 10;
        else
            return false;
    }
    *code_out = code;
    return true;
}

static size_t put_rune(uint8_t *out, uint32_t rune)
{
    if (rune < 0x80) {
        out[0] = (uint8_t)rune;
        return 1;
    }
    if (rune < 0x800) {
        out[0] = (uint8_t)(0xc0 | rune >> 6);
        out[1] = (uint8_t)(0x80 | (rune & 63));
        return 2;
    }
    if (rune < 0x10000) {
        out[0] = (uint8_t)(0xe0 | rune >> 12);
        out[1] = (uint8_t)(0x80 | (rune >> 6 & 63));
        out[2] = (uint8_t)(0x80 | (rune & 63));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | rune >> 18);
    out[1] = (uint8_t)(0x80 | (rune >> 12 & 63));
    out[2] = (uint8_t)(0x80 | (rune >> 6 & 63));
    out[3] = (uint8_t)(0x80 | (rune & 63));
    return 4;
}

/* \uXXXX behind the backslash, a pair of surrogates as one; a lone surrogate becomes U+FFFD. */
static bool take_unicode(struct lexer *lexer, uint8_t *out, size_t *size)
{
    uint32_t rune;
    uint32_t low;
    if (!hex4(lexer, 1, &rune))
        return false;
    lexer->at += 5;
    const bool is_high = rune >= 0xd800 && rune < 0xdc00;
    if (is_high && peek(lexer, 0) == '\\' && peek(lexer, 1) == 'u' && hex4(lexer, 2, &low) &&
        low >= 0xdc00 && low < 0xe000) {
        rune = 0x10000 + ((rune - 0xd800) << 10) + (low - 0xdc00);
        lexer->at += 6;
    } else if (rune >= 0xd800 && rune < 0xe000) {
        rune = 0xfffd;
    }
    *size += put_rune(out + *size, rune);
    return true;
}

/* What stands behind a backslash. */
static bool take_escape(struct lexer *lexer, uint8_t *out, size_t *size)
{
    static const char letters[] = "\"\\/bfnrt";
    static const char meanings[] = "\"\\/\b\f\n\r\t";
    const uint8_t letter = peek(lexer, 0);
    if (letter == 'u')
        return take_unicode(lexer, out, size);
    const char *found = letter != 0 ? strchr(letters, letter) : NULL;
    if (found == NULL)
        return false;
    out[(*size)++] = (uint8_t)meanings[found - letters];
    lexer->at++;
    return true;
}

/* Bytes up to the end of this part of a string, and one more. */
static size_t part_size(const struct lexer *lexer)
{
    uint32_t size = 0;
    for (;;) {
        const uint8_t byte = peek(lexer, size);
        if (lexer->at + size >= lexer->text.size || byte == '"' ||
            (byte == '\\' && peek(lexer, size + 1) == '('))
            return size + 1;
        size += byte == '\\' ? 2 : 1;
    }
}

enum pawl_error lexer_string_part(struct lexer *lexer, struct arena *arena, struct bytes *text_out,
                                  enum string_part *end_out)
{
    /* Decoding never makes text longer. */
    uint8_t *out = arena_alloc(arena, part_size(lexer));
    size_t size = 0;
    if (out == NULL)
        return PAWL_E_LIMIT;
    while (lexer->at < lexer->text.size) {
        const uint8_t byte = lexer->text.data[lexer->at++];
        const bool is_interpolation = byte == '\\' && peek(lexer, 0) == '(';
        if (byte == '"' || is_interpolation) {
            lexer->at += is_interpolation;
            *end_out = is_interpolation ? STRING_INTERPOLATES : STRING_ENDS;
            *text_out = bytes_of(out, size);
            return utf8_is_valid(*text_out) ? PAWL_OK : PAWL_E_INVALID;
        }
        if (byte != '\\')
            out[size++] = byte;
        else if (!take_escape(lexer, out, &size))
            return PAWL_E_INVALID;
    }
    return PAWL_E_INVALID;
}

void lexer_place(struct bytes text, uint32_t offset, int *line_out, int *column_out)
{
    int line = 1;
    int column = 1;
    for (uint32_t i = 0; i < offset && i < text.size; i++) {
        column = text.data[i] == '\n' ? 1 : column + 1;
        line += text.data[i] == '\n';
    }
    *line_out = line;
    *column_out = column;
}
